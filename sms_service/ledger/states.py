"""The statuses of runs, messages and attempts, and which change may follow which: the one table that SQL, tests and
docs follow.
"""

from __future__ import annotations

from collections.abc import Mapping

from sms_service.vocabulary import Words


class RunStatus(Words):
    """How far a run is."""

    planned = "planned"
    freezing = "freezing"
    running = "running"
    paused = "paused"
    held = "held"
    finished = "finished"
    closed = "closed"
    cancelled = "cancelled"


class HeldFor(Words):
    """Why a run is held until a person releases or cancels it."""

    missed = "missed"  # its time was missed by more than the grace
    unfreezable = "unfreezable"  # its rule or template cannot be used any more
    canary = "canary"  # too many of its first texts were refused or unknown
    breaker = "breaker"  # too many of its last texts were refused or unknown
    cluster = "cluster"  # PostgreSQL is another server than before: promoted or restored
    changed = "changed"  # what it would send is not what was approved
    grown = "grown"  # it has more recipients than its approval allows for
    quota = "quota"  # a quota of its unit, or of one above, has not enough left for it


class Lane(Words):
    """Which runs go before which, first to last."""

    urgent = "urgent"
    small = "small"
    bulk = "bulk"


class MessageStatus(Words):
    """What became of one recipient of one run."""

    skipped = "skipped"
    pending = "pending"
    claimed = "claimed"
    submitting = "submitting"
    accepted = "accepted"
    refused = "refused"
    unknown = "unknown"
    delivered = "delivered"
    undelivered = "undelivered"
    no_receipt = "no_receipt"
    expired = "expired"
    cancelled = "cancelled"


class AttemptStatus(Words):
    """What became of one hand-over."""

    submitting = "submitting"
    unknown = "unknown"
    refused = "refused"
    throttled = "throttled"
    accepted = "accepted"
    no_receipt = "no_receipt"
    undelivered = "undelivered"
    delivered = "delivered"


M = MessageStatus
R = RunStatus

_DELIVERED_FROM_ANYWHERE = frozenset(M) - {M.skipped, M.delivered}

# `delivered` on any attempt moves a message from every state but `skipped`; the rest is listed one by one.
MESSAGE_TRANSITIONS: Mapping[MessageStatus, frozenset[MessageStatus]] = {
    source: frozenset(targets) | ({M.delivered} if source in _DELIVERED_FROM_ANYWHERE else frozenset())
    for source, targets in {
        M.skipped: set[MessageStatus](),
        M.pending: {M.claimed, M.skipped, M.expired, M.cancelled},
        M.claimed: {M.submitting, M.pending, M.skipped, M.refused, M.expired, M.cancelled},
        M.submitting: {M.accepted, M.refused, M.unknown, M.pending, M.undelivered},
        M.accepted: {M.no_receipt, M.undelivered},
        M.unknown: {M.accepted, M.refused, M.pending, M.undelivered},
        M.refused: {M.pending, M.undelivered},
        M.no_receipt: {M.undelivered},
        M.delivered: set[MessageStatus](),
        M.undelivered: set[MessageStatus](),
        M.expired: set[MessageStatus](),
        M.cancelled: set[MessageStatus](),
    }.items()
}

# An attempt only moves up.
ATTEMPT_RANK: Mapping[AttemptStatus, int] = {
    AttemptStatus.submitting: 0,
    AttemptStatus.unknown: 1,
    AttemptStatus.refused: 2,
    AttemptStatus.throttled: 2,
    AttemptStatus.accepted: 2,
    AttemptStatus.no_receipt: 3,
    AttemptStatus.undelivered: 4,
    AttemptStatus.delivered: 5,
}

RUN_TRANSITIONS: Mapping[RunStatus, frozenset[RunStatus]] = {
    R.planned: frozenset({R.freezing, R.held, R.cancelled}),
    R.freezing: frozenset({R.running, R.held, R.cancelled}),
    R.running: frozenset({R.paused, R.held, R.finished, R.cancelled}),
    R.paused: frozenset({R.running, R.held, R.cancelled}),
    R.held: frozenset({R.planned, R.running, R.cancelled}),
    # A person's retry puts rows of a finished or closed run back to pending.
    R.finished: frozenset({R.closed, R.running}),
    R.closed: frozenset({R.running}),
    R.cancelled: frozenset(),
}
