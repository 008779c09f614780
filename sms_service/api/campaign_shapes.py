"""What is written and shown of campaigns by `/campaigns`."""

from __future__ import annotations

from typing import Any

from marshmallow import fields, validate

from sms_service.campaigns import approval, services
from sms_service.campaigns.states import CampaignKind, CampaignStatus
from sms_service.content.values import LONGEST_VALUE, MOST_VALUES
from sms_service.gateways.config import DEFAULT_ROUTE
from sms_service.web.schemas import Id, In, MaskedText, OneLine, Out, SaidMessage, Whole
from sms_service.web.validators import TextLength, WithinRange

_VALUES = (
    "Texts, numbers or lists of them by variable, the same for all recipients: "
    f"at most {MOST_VALUES} of at most {LONGEST_VALUE} characters. "
    "The recipients' own attributes fill the other variables"
)
_PICKS = (
    "By reference list that the text names, as `venue` of `{{ venue.address }}`: the id of a row. Its cells are taken "
    "into `values`; when the row changes, they stay until it is picked again"
)
_SIGNATURE = "Stands in front as 【signature】: 2 to 16 characters, written without brackets"
_VALIDITY = "Seconds from launch after which texts that have not left expire"
_validity_range = WithinRange(services.SHORTEST_VALIDITY_S, services.LONGEST_VALIDITY_S)
_CHANNELS = (
    "The ids of channels of its unit or of a unit above, at most 20: each of its runs is also posted to them. Part of "
    "what is approved"
)
_URGENT = "It goes before all that is not: for what cannot wait. Part of what is approved"
_CANARY_RECEIPTS = (
    "Above 1,000 people the first texts go alone; with this the others wait, some minutes at most, for the first ones' "
    "receipts too. Part of what is approved"
)
_LAUNCH_ON_APPROVAL = (
    "Its approval launches it, for `planned_at` or at once. Whoever submits it must be allowed to launch it. Part of "
    "what is approved"
)
_PLANNED_AT = "When it shall be sent, ISO 8601 with offset, at most 365 days ahead. Part of what is approved"
OFFSET = "must be a time with its offset, such as 2026-12-01T09:00:00+08:00"


def _planned_at(**kwargs: Any) -> fields.AwareDateTime:
    messages: dict[str, Any] = {"invalid": OFFSET, "invalid_awareness": OFFSET}
    return fields.AwareDateTime(
        allow_none=True, error_messages=messages, metadata={"description": _PLANNED_AT}, **kwargs
    )


_ASKS = (
    "What its texts ask, null: nothing. `kind`: `rsvp` (whether they come), `survey` (one of `options`, two to nine), "
    "`check` (whether the phone is still theirs), `quiz` (one `question` of the quiz bank for all, or one of a "
    "`category` that is drawn for each person; `tries` that count, 1 to 9; `send_result`: the right answer is sent "
    "back); `hours`: how long after the launch an answer counts. "
    "`same_as`: the question, still open, of which it reminds. Part of what is approved"
)


class CampaignChange(In):
    """What to change; what is left out stays. An approved or rejected campaign becomes a draft again."""

    name = OneLine(services.LONGEST_NAME, metadata={"description": "Its name"})
    template_version_id = Id(metadata={"description": "The version of a template"})
    segment_id = Id(metadata={"description": "The segment that finds its recipients, within the campaign's unit"})
    signature = fields.String(metadata={"description": _SIGNATURE})
    values = fields.Dict(keys=fields.String(), values=fields.Raw(), metadata={"description": _VALUES})
    picks = fields.Dict(
        keys=fields.String(), values=Id(allow_none=True), metadata={"description": f"{_PICKS}. null: none is picked"}
    )
    channels = fields.List(Id(), metadata={"description": _CHANNELS})
    asks = fields.Dict(keys=fields.String(), allow_none=True, metadata={"description": _ASKS})
    route = fields.String(metadata={"description": "A route of gateways.toml"})
    validity_s = Whole(validate=_validity_range, metadata={"description": _VALIDITY})
    urgent = fields.Boolean(metadata={"description": _URGENT})
    canary_receipts = fields.Boolean(metadata={"description": _CANARY_RECEIPTS})
    launch_on_approval = fields.Boolean(metadata={"description": _LAUNCH_ON_APPROVAL})
    planned_at = _planned_at()


class CampaignIn(CampaignChange):
    """A new campaign."""

    unit_id = Id(required=True, metadata={"description": "The unit that sends it and whose subtree bounds it"})
    name = OneLine(services.LONGEST_NAME, required=True, metadata={"description": "Its name"})
    template_version_id = Id(required=True, metadata={"description": "The version of a template"})
    segment_id = Id(
        required=True, metadata={"description": "The segment that finds its recipients, within the campaign's unit"}
    )
    signature = fields.String(required=True, metadata={"description": _SIGNATURE})
    values = fields.Dict(
        keys=fields.String(), values=fields.Raw(), load_default=dict, metadata={"description": _VALUES}
    )
    picks = fields.Dict(
        keys=fields.String(), values=Id(allow_none=True), load_default=dict, metadata={"description": _PICKS}
    )
    channels = fields.List(Id(), load_default=list, metadata={"description": _CHANNELS})
    asks = fields.Dict(keys=fields.String(), allow_none=True, load_default=None, metadata={"description": _ASKS})
    route = fields.String(load_default=DEFAULT_ROUTE, metadata={"description": "A route of gateways.toml"})
    validity_s = Whole(load_default=86_400, validate=_validity_range, metadata={"description": _VALIDITY})
    urgent = fields.Boolean(load_default=False, metadata={"description": _URGENT})
    canary_receipts = fields.Boolean(load_default=False, metadata={"description": _CANARY_RECEIPTS})
    launch_on_approval = fields.Boolean(load_default=False, metadata={"description": _LAUNCH_ON_APPROVAL})
    planned_at = _planned_at(load_default=None)


class RetimeIn(In):
    """Another time."""

    at = fields.AwareDateTime(
        required=True,
        error_messages={"invalid": OFFSET, "invalid_awareness": OFFSET},
        metadata={"description": "ISO 8601 with offset, at most 365 days ahead"},
    )


class NothingIn(In):
    """No fields."""


class ApprovalIn(In):
    """What goes with a decision."""

    comment = fields.String(
        load_default=None,
        validate=TextLength(1, approval.LONGEST_COMMENT),
        metadata={"description": "A remark for the people who wrote it"},
    )
    digest = fields.String(
        load_default=None,
        validate=validate.Regexp(r"[0-9a-f]{64}\Z", error="must be the 64 hexadecimal digits of a campaign's `digest`"),
        metadata={"description": "`digest` of the campaign as it was read: 409 if it is another content by now"},
    )


class TickedApprovalIn(ApprovalIn):
    """What goes with a yes."""

    ticks = fields.List(
        fields.String(),
        load_default=list,
        metadata={"description": "The keys of the findings of `/campaigns/{id}/lint` that need a tick and were seen"},
    )


class RejectionIn(ApprovalIn):
    """What goes with a refusal."""

    comment = fields.String(
        required=True,
        validate=TextLength(1, approval.LONGEST_COMMENT),
        metadata={"description": "Why, for the people who wrote it"},
    )


class LaunchIn(In):
    """When to send it."""

    at = fields.AwareDateTime(
        load_default=None,
        error_messages={"invalid": OFFSET, "invalid_awareness": OFFSET},
        metadata={"description": "ISO 8601 with offset, at most 365 days ahead; left out: now"},
    )


class DecisionOut(Out):
    """A decision on a campaign."""

    verdict = fields.String(metadata={"description": "`approved` or `rejected`"})
    account_id = fields.Integer(allow_none=True, metadata={"description": "Who decided; null: the service itself"})
    login = fields.String(allow_none=True, metadata={"description": "The login of who decided"})
    at = fields.AwareDateTime(metadata={"description": "When"})
    comment = MaskedText(allow_none=True, metadata={"description": "The remark given with it"})
    holds = fields.Boolean(metadata={"description": "The content is still the one that was decided on"})
    people = fields.Integer(
        allow_none=True,
        metadata={"description": "Recipients as they were counted for an approval; null: of a rejection, or of before"},
    )
    self_service = fields.Boolean(
        metadata={"description": "Whoever submitted it approved it themselves, as `rule` allows"}
    )
    lender_id = fields.Integer(
        allow_none=True, metadata={"description": "The account by whose delegation it was decided; null: by own right"}
    )
    lender = fields.String(allow_none=True, metadata={"description": "The name of that account's person"})
    needed = fields.Integer(
        allow_none=True,
        metadata={"description": "How many approvals the rules asked for then; 0: self-service; null: not kept"},
    )
    rule_id = fields.Integer(
        allow_none=True, metadata={"description": "The approval rule that said so; null: none covered it"}
    )
    rule = fields.String(allow_none=True, metadata={"description": "That rule in words, as it was then"})
    rule_said = SaidMessage(attribute="rule", metadata={"description": "The same for saying it in another language"})


class CampaignListed(Out):
    """A campaign as lists show it: `GET /campaigns/{id}` also has its text, its values and its segment's rule."""

    id = fields.Integer(metadata={"description": "The campaign's id"})
    unit_id = fields.Integer(metadata={"description": "The unit that sends it"})
    unit = fields.String(metadata={"description": "The unit's name"})
    name = fields.String(metadata={"description": "Its name"})
    status = fields.String(metadata={"description": "One of " + ", ".join(CampaignStatus)})
    template_version_id = fields.Integer(metadata={"description": "The version of the template"})
    template_id = fields.Integer(metadata={"description": "The template"})
    template = fields.String(metadata={"description": "The template's name"})
    version = fields.Integer(metadata={"description": "The version's number"})
    class_ = fields.String(data_key="class", metadata={"description": "What kind of text it is"})
    segment_id = fields.Integer(metadata={"description": "The segment"})
    segment = fields.String(metadata={"description": "The segment's name"})
    missing_values = fields.List(
        fields.String(),
        metadata={"description": "Variables that only attributes can fill; who lacks one is refused, not texted"},
    )
    signature = fields.String(metadata={"description": "Stands in front as 【signature】"})
    route = fields.String(metadata={"description": "The route's name"})
    validity_s = fields.Integer(metadata={"description": _VALIDITY})
    channels = fields.List(fields.Integer(), metadata={"description": _CHANNELS})
    asks = fields.Dict(allow_none=True, metadata={"description": _ASKS})
    urgent = fields.Boolean(metadata={"description": _URGENT})
    canary_receipts = fields.Boolean(metadata={"description": _CANARY_RECEIPTS})
    launch_on_approval = fields.Boolean(metadata={"description": _LAUNCH_ON_APPROVAL})
    kind = fields.String(metadata={"description": "By what its runs come: one of " + ", ".join(CampaignKind)})
    undecided = fields.Boolean(
        metadata={"description": "It is active, and what is still to go is not what was approved: that waits, held"}
    )
    planned_at = fields.AwareDateTime(allow_none=True, metadata={"description": _PLANNED_AT})
    unlaunched = fields.String(
        allow_none=True,
        metadata={"description": "Why its approval did not launch it, as it should have; null unless that is so"},
    )
    digest = fields.String(metadata={"description": "SHA-256 of what is sent to whom and how, as it stands now"})
    decision = fields.Nested(DecisionOut, allow_none=True, metadata={"description": "The last decision on it"})
    run_id = fields.Integer(
        allow_none=True,
        metadata={"description": "Its run, once it is launched; null of one with a schedule, whose items have theirs"},
    )
    run_status = fields.String(allow_none=True, metadata={"description": "How far its run is"})
    audience = fields.Integer(
        allow_none=True, metadata={"description": "How many recipients its run has, once they are written down"}
    )
    due_at = fields.AwareDateTime(allow_none=True, metadata={"description": "When its run begins or began"})
    stopped = fields.Boolean(
        metadata={"description": "A stop holds back its texts, or some of them; its run names the stops"}
    )
    created_by = fields.Integer(allow_none=True, metadata={"description": "The account; null: the service itself"})
    created_at = fields.AwareDateTime(metadata={"description": "When it was written first"})
    updated_at = fields.AwareDateTime(metadata={"description": "When it was changed last"})


class CampaignOut(CampaignListed):
    """A campaign."""

    body = fields.String(metadata={"description": "The text with its variables"})
    segment_rule = fields.Raw(
        metadata={"type": "object", "description": "Whom it finds, always within the campaign's unit"}
    )
    values = fields.Dict(metadata={"description": _VALUES})
    picks = fields.Dict(keys=fields.String(), values=fields.Integer(), metadata={"description": _PICKS})
    acts = fields.List(
        fields.String(),
        metadata={
            "description": "What the caller may do about it as it stands, by right and status; docs/approval.md has "
            "the table. What else an act asks for it says when it is tried"
        },
    )
