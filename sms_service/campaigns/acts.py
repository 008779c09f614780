"""What can be done about a campaign: by whom, in which status, and what it becomes. Nothing else moves a campaign.

`moving` asks this table for every act, pages and API ask it what they offer, docs/approval.md prints it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from sms_service.accounts.permissions import Permission
from sms_service.campaigns.states import CampaignKind, CampaignStatus
from sms_service.vocabulary import Words


class CampaignAct(Words):
    """An act, by the name that the trail, the API and the pages have for it."""

    change = "change"
    submit = "submit"
    withdraw = "withdraw"
    approve = "approve"
    reject = "reject"
    launch = "launch"
    start = "start"
    retime = "retime"
    correct = "correct"
    suspend = "suspend"
    go_on = "continue"
    end = "end"
    move = "move"
    cancel = "cancel"
    tick_off = "tick_off"
    resend = "resend"
    fire = "fire"
    finish = "finish"


@dataclass(frozen=True, slots=True)
class Act:
    """`moves`: by each status in which it can be done, what the campaign may become by it. `rights`: the permissions
    that it takes, each over the campaign's unit; none: only the clock does it. `kinds`: of which kinds of campaign.
    `undecided`: the statuses in which there is something to decide only where it was changed since it was approved.
    `also`: what else must hold, for people.
    """

    moves: Mapping[CampaignStatus, tuple[CampaignStatus, ...]]
    rights: tuple[Permission, ...] = ()
    kinds: Collection[CampaignKind] = tuple(CampaignKind)
    undecided: Collection[CampaignStatus] = ()
    also: str = ""


A, S = CampaignAct, CampaignStatus
_EDIT, _APPROVE, _OPERATE = Permission.edit_campaigns, Permission.approve_campaigns, Permission.operate_campaigns
_PLAIN, _EVENT = (CampaignKind.plain,), (CampaignKind.event,)
SCHEDULED = tuple(kind for kind in CampaignKind if kind != CampaignKind.plain)
UNDER_WAY = (S.active, S.suspended)
_STAYS = {status: (status,) for status in UNDER_WAY}

ACTS: Mapping[CampaignAct, Act] = {
    A.change: Act(
        dict.fromkeys((S.draft, S.rejected, S.approved), (S.draft,)),
        (_EDIT,),
        also="nobody changed it since it was opened; an approval is void by it",
    ),
    A.submit: Act(
        dict.fromkeys((S.draft, S.rejected, S.approved), (S.submitted,)),
        (_EDIT,),
        also="the check refuses nothing; who submits what its approval launches may launch it. Where self-service "
        "covers it, the submitter approves it by that",
    ),
    A.withdraw: Act(
        dict.fromkeys((S.draft, S.submitted, S.approved, S.rejected), (S.withdrawn,)),
        (_EDIT,),
    ),
    A.approve: Act(
        {S.submitted: (S.approved, S.submitted), **_STAYS},
        (_APPROVE,),
        undecided=UNDER_WAY,
        also="no author, nor one person with an author; on the level that the rule asks for, or by delegation; the "
        "content is what was read. The first of two leaves it submitted",
    ),
    A.reject: Act(
        {S.submitted: (S.rejected,), **_STAYS},
        (_APPROVE,),
        undecided=UNDER_WAY,
        also="no author, nor one person with an author; says why",
    ),
    A.launch: Act(
        {S.approved: (S.active,)},
        (_OPERATE,),
        _PLAIN,
        also="the content is what was approved. Its approval does it where it was submitted so",
    ),
    A.start: Act(
        {S.approved: (S.active,)},
        (_OPERATE,),
        SCHEDULED,
        also="the same; something of the schedule lies ahead",
    ),
    A.retime: Act(
        {S.active: (S.active,)},
        (_EDIT, _OPERATE),
        _PLAIN,
        also="its run has not begun; if the approver saw a planned time, it is held until the new one is approved",
    ),
    A.correct: Act(
        _STAYS,
        (_EDIT,),
        SCHEDULED,
        also="the item is still to come; it is held until it is approved",
    ),
    A.suspend: Act({S.active: (S.suspended,)}, (_OPERATE,), SCHEDULED),
    A.go_on: Act(
        {S.suspended: (S.active,)},
        (_OPERATE,),
        SCHEDULED,
        also="something of the schedule lies ahead",
    ),
    A.end: Act(dict.fromkeys(UNDER_WAY, (S.active,)), (_OPERATE,), SCHEDULED),
    A.move: Act(
        _STAYS,
        (_EDIT, _OPERATE),
        _EVENT,
        also="it has not begun, nor was it called off; what is to come is held until it is approved",
    ),
    A.cancel: Act(
        dict.fromkeys(UNDER_WAY, (S.active, S.ended)),
        (_OPERATE,),
        _EVENT,
        also="it has not begun, nor was it called off; it ends at once where nobody was invited",
    ),
    A.tick_off: Act(
        {**_STAYS, S.ended: (S.ended, S.active)},
        (_EDIT,),
        _EVENT,
        also="it has begun, and was not called off; it goes on where somebody is still to be thanked",
    ),
    A.resend: Act(
        {**_STAYS, S.ended: (S.active,)},
        (_OPERATE,),
        also="a run of it has texts that were refused or are unknown",
    ),
    A.fire: Act({S.active: (S.active,)}, (), SCHEDULED, also="an item is due; held if it is not what was approved"),
    A.finish: Act({S.active: (S.ended,)}, (), also="all its runs are over and nothing fires any more"),
}
EDITABLE = tuple(ACTS[A.change].moves)
