"""The states of a campaign; which may follow which, and by whose act, is in `acts`."""

from __future__ import annotations

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
