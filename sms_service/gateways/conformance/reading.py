"""Reads what a provider reports as the service does, so that a driver reads it in the same way."""

from __future__ import annotations

from sms_service.gateways.base import Adapter, CallbackRequest, Pulled, Pulls, Receipt, Reply

_MOST_PULLS = 100


def pushed(adapter: Adapter, request: CallbackRequest) -> Pulled:
    """The receipts and replies that an adapter reads from a callback, after it has verified the callback."""
    assert adapter.verify(request), "the provider itself sent this callback, and the adapter refuses it"
    receipts, replies = adapter.parse_receipts(request), adapter.parse_replies(request)
    assert not (receipts and replies), "a callback is read as receipts or as replies, never as both"
    return Pulled(receipts, replies)


def pulled(adapter: Pulls) -> Pulled:
    """What an adapter gets when it asks the provider until there is no more."""
    receipts: list[Receipt] = []
    replies: list[Reply] = []
    for _ in range(_MOST_PULLS):
        found = adapter.pull()
        receipts += found.receipts
        replies += found.replies
        if not found.more:
            return Pulled(receipts, replies)
    raise AssertionError(f"the adapter says that there is more, {_MOST_PULLS} times over")
