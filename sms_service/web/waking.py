"""Telling workers, once what a request did is committed, that there is something to do."""

from __future__ import annotations

from flask import Response, after_this_request

from sms_service import wake
from sms_service.web.context import current_context


def begin_after_commit() -> None:
    """Have a run that this request makes begun at once. Should nobody wake, the clock begins it within a second."""
    after_this_request(_wake_a_worker)


def _wake_a_worker(answer: Response) -> Response:
    redis = current_context().redis
    if redis is not None:
        wake.wake_workers(redis, wake.FREEZE)
    return answer
