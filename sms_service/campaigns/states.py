"""The states of a campaign and which may follow which."""

from __future__ import annotations

from collections.abc import Mapping

from sms_service.vocabulary import Words


class CampaignStatus(Words):
    """How far people have decided on a campaign."""

    draft = "draft"
    submitted = "submitted"
    approved = "approved"
    active = "active"
    suspended = "suspended"
    ended = "ended"
    rejected = "rejected"
    withdrawn = "withdrawn"


class CampaignKind(Words):
    """By what its runs come."""

    plain = "plain"  # one run, when somebody launches it
    recurring = "recurring"  # the same text again and again
    series = "series"  # many texts in order
    event = "event"  # invitation, reminder, thanks


LATE, FROM_FIRST = "late", "first"  # in a series' `schedule`: people who join late begin at its first item
CANCELLED, MOVED = "cancelled", "moved"  # in an event's `schedule`: it is called off; how often it was moved
CALLED_OFF = 4  # the number of an event's text that says that it is called off

C = CampaignStatus

CAMPAIGN_TRANSITIONS: Mapping[CampaignStatus, frozenset[CampaignStatus]] = {
    C.draft: frozenset({C.submitted, C.withdrawn}),
    C.submitted: frozenset({C.approved, C.rejected, C.draft, C.withdrawn}),
    C.approved: frozenset({C.active, C.submitted, C.draft, C.withdrawn}),  # an edit takes the approval away
    C.active: frozenset({C.suspended, C.ended}),
    C.suspended: frozenset({C.active, C.ended}),
    C.rejected: frozenset({C.draft, C.withdrawn}),
    C.ended: frozenset({C.active}),  # a person's retry lets its run run again
    C.withdrawn: frozenset(),
}
