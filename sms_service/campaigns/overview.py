"""Campaigns as people read them: what is sent, to whom, who decided, and how the run is doing, in one query."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, ColumnElement, Row, Select, Text, cast, false, func, or_, select
from sqlalchemy.orm import Session, aliased

from sms_service.accounts.actors import Actor
from sms_service.accounts.models import Account
from sms_service.accounts.permissions import Permission
from sms_service.audience.listed import USED_LISTS
from sms_service.audience.models import Segment
from sms_service.audience.nesting import USED_SEGMENTS, read_used
from sms_service.audit.models import TrailEntry
from sms_service.campaigns.approval_rules import read_approval_rules, select_approval_rules
from sms_service.campaigns.approvers import select_given, select_line
from sms_service.campaigns.contents import Content, bounded_rule, pick_digests, window_of
from sms_service.campaigns.items import ITEMS, read_items
from sms_service.campaigns.launch import missing_values
from sms_service.campaigns.models import Campaign, Decision
from sms_service.campaigns.moving import list_acts
from sms_service.campaigns.quiz_asks import POOLS, read_pools
from sms_service.campaigns.states import CampaignKind, CampaignStatus
from sms_service.content.models import Template, TemplateVersion
from sms_service.content.policies import select_rules
from sms_service.content.signatures import select_standing
from sms_service.content.wordlists import read_lists, select_lists
from sms_service.controls.models import Route
from sms_service.controls.stops import is_stopped
from sms_service.directory.models import Unit
from sms_service.errors import NotFound
from sms_service.ledger.models import Run
from sms_service.said import Said, from_json, say

_COLUMNS = (
    *("id", "unit_id", "name", "status", "template_version_id", "segment_id", "values", "picks", "signature"),
    *("channels", "asks", "validity_s"),
    *("urgent", "canary_receipts", "launch_on_approval", "planned_at", "created_by", "created_at", "updated_at"),
    *("kind", "schedule", "undecided"),
)


def find_campaigns(
    paths: Sequence[str],
    *,
    status: str | None = None,
    name: str | None = None,
    segment_ids: Collection[int] | None = None,
    template_id: int | None = None,
    where: ColumnElement[bool] | None = None,
) -> Select[*tuple[Any, ...]]:
    """The campaigns of all units under `paths`, as rows for `describe_campaign`; to be ordered and paged.

    `name`: part of the campaign's name; `segment_ids`: those that use one of these segments; `template_id`: those that
    use any version of the template; `where`: more that must hold.
    """
    statement = _rows().where(or_(false(), *(Unit.path.op("^@")(path) for path in paths)))
    if where is not None:
        statement = statement.where(where)
    if name is not None:
        statement = statement.where(Campaign.name.contains(name, autoescape=True))
    if segment_ids is not None:
        statement = statement.where(Campaign.segment_id.in_(segment_ids))
    for column, wanted in ((Campaign.status, status), (TemplateVersion.template_id, template_id)):
        if wanted is not None:
            statement = statement.where(column == wanted)
    return statement


def get_campaign(session: Session, actor: Actor, campaign_id: int) -> dict[str, Any]:
    """One campaign, described, with the `acts` that are open to the actor, what lint has to know of its unit
    (`for_lint`), and what says who may approve it: `approval_rules`, `given` and `line`, as `approval_rules` and
    `approvers` take them. Raises NotFound or Forbidden.
    """
    row = _row(session, actor, campaign_id, _rows().add_columns(*_for_lint()))
    return describe_campaign(row) | _read_for_lint(row) | {"acts": list_acts(actor, row.Campaign, row.path)}


def get_with_difference(session: Session, actor: Actor, campaign_id: int) -> dict[str, Any]:
    """The same with `approved_before`, None or what was approved last: of this campaign, or of the one that it is a
    copy of. It has `at`, `campaign_id`, what was `covered` by its digest, `whom` in words, and `changes`, the names of
    what is different now.

    Raises NotFound or Forbidden.
    """
    row = _row(session, actor, campaign_id, _rows().add_columns(_last_approved(), *_for_lint()))
    described = describe_campaign(row) | _read_for_lint(row)
    last = row.approved_before
    if last is not None:
        kept = last.pop("content")
        now, then = described["content"].covered(), kept["covered"]
        last["at"] = datetime.fromisoformat(last["at"])
        last["covered"], last["whom"] = then, from_json(**kept["whom"])
        last["changes"] = {name for name in {*then, *now} if then.get(name) != now.get(name)}
    return described | {"approved_before": last}


def _for_lint() -> tuple[ColumnElement[Any], ...]:
    standing = select_standing(Unit.path.expression, Campaign.route_id.expression, Campaign.signature.expression)
    versions, demonstration = Campaign.template_version_id.expression, Unit.demonstration.expression
    rules = select_rules(Campaign.route_id.expression, versions, demonstration)
    approval = select_approval_rules(Unit.path.expression, Unit.level.expression)
    return (
        select_lists(Unit.path.expression).label("lists"),
        standing.label("standing"),
        rules.label("rules"),
        approval.label("approval_rules"),
        select_given().label("given"),
        select_line(Unit.path.expression).label("line"),
    )


def _read_for_lint(row: Row[Any]) -> dict[str, Any]:
    return {
        "for_lint": (read_lists(row.lists), row.standing, row.rules),
        "approval_rules": read_approval_rules(row.approval_rules),
        "given": row.given,
        "line": row.line,
    }


def _row(session: Session, actor: Actor, campaign_id: int, rows: Select[*tuple[Any, ...]]) -> Row[Any]:
    row = session.execute(rows.where(Campaign.id == campaign_id)).first()
    if row is None:
        raise NotFound("campaign", campaign_id)
    actor.require(Permission.read, row.path)
    return row


def _last_approved() -> ColumnElement[Any]:
    copy_of = (
        select(cast(TrailEntry.details["copy_of"].astext, BigInteger))
        .where(
            TrailEntry.target_kind == "campaign",
            TrailEntry.target_id == cast(Campaign.id, Text),
            TrailEntry.act == "campaign.create",
        )
        .correlate(Campaign)
        .limit(1)
        .scalar_subquery()
    )
    earlier = aliased(Decision)
    said = func.json_build_object(
        "at", earlier.at, "campaign_id", earlier.campaign_id, "content", earlier.content, type_=JSON
    )
    return (
        select(said)
        .where(
            or_(earlier.campaign_id == Campaign.id, earlier.campaign_id == copy_of),
            earlier.decided == "approved",
            earlier.content.is_not(None),
            # Of several that it needs, the first is none of before.
            or_(
                (Campaign.status != CampaignStatus.submitted.value) & ~Campaign.undecided,
                earlier.campaign_id != Campaign.id,
                earlier.submission.is_distinct_from(Campaign.submissions),
            ),
        )
        .correlate(Campaign)
        .order_by((earlier.campaign_id == Campaign.id).desc(), earlier.id.desc())
        .limit(1)
        .scalar_subquery()
        .label("approved_before")
    )


def describe_campaign(row: Row[Any]) -> dict[str, Any]:
    """A campaign with the names of what it refers to, and these:

    `digest` (hexadecimal) of its present content; `missing_values`, the variables that only recipients' attributes can
    fill; `decision`, the last one, whose `holds` says whether the content is still what was decided on and
    `is_first` whether it is one of several approvals that it waits for; `run_id`,
    `run_status`, `audience` (recipients) and `due_at`, None before launch and of one with a schedule; `stopped`,
    whether a stop holds back its texts or some of them; `unlaunched`, the sentence that says why its approval did not
    launch it, None unless that is so; and for the rooms `content`, `owner`, its unit, `path`, that of the unit, and
    `now`.
    """
    campaign, version, class_ = row.Campaign, row.TemplateVersion, row.class_
    rule = bounded_rule(row.Segment, row.segment_path, row.path, read_used(row.used))
    lists, items = pick_digests(row.lists_used or {}, rule), read_items(row.items)
    content = Content(campaign, version, class_, rule, lists, window_of(row.Unit), items, pools=read_pools(row.pools))
    digest = content.digest()
    decision: Decision | None = row.Decision
    return {
        **{name: getattr(campaign, name) for name in _COLUMNS},
        "content": content,
        "path": row.path,
        "owner": row.Unit,
        "now": row.now,
        "unit": row.unit,
        "template_id": version.template_id,
        "template": row.template,
        "version": version.number,
        "body": version.body,
        "class_": class_,
        "segment": row.Segment.name,
        "segment_rule": rule,
        "route": row.route,
        "digest": digest.hex(),
        "missing_values": missing_values(content),
        "decision": decision
        and {
            "verdict": decision.decided,
            "account_id": decision.account_id,
            "login": row.login,
            "name": row.decider,
            "at": decision.at,
            "comment": decision.comment,
            "people": decision.people,
            "self_service": decision.self_service,
            "is_first": (campaign.undecided or campaign.status == CampaignStatus.submitted)
            and decision.submission == campaign.submissions,
            "lender_id": decision.lender_id,
            "lender": row.lender,
            **_read_asked(decision),
            "holds": decision.digest == digest,
        },
        "run_id": row.run_id,
        "run_status": row.run_status,
        "audience": row.audience,
        "due_at": row.due_at,
        "stopped": row.stopped,
        "unlaunched": _say_unlaunched(campaign),
    }


def _read_asked(decision: Decision) -> dict[str, Any]:
    """What the rules asked for when it was taken; None where nothing is kept of it."""
    asked = (decision.content or {}).get("asked")
    if asked is None:
        return {"needed": None, "rule_id": None, "rule": None}
    return {"needed": asked["approvals"], "rule_id": asked["rule"], "rule": from_json(**asked["words"])}


def _say_unlaunched(campaign: Campaign) -> Said | None:
    """An approval launches in its own transaction, so that one without a run was given too late."""
    if campaign.status != CampaignStatus.approved or not campaign.launch_on_approval or campaign.planned_at is None:
        return None
    at = campaign.planned_at.isoformat(timespec="minutes")
    return say("its planned time {at} was missed before it was approved, so nothing was launched", at=at)


def _rows() -> Select[*tuple[Any, ...]]:
    segment_unit, lender = aliased(Unit), aliased(Account)
    last = (
        select(func.max(Decision.id)).where(Decision.campaign_id == Campaign.id).correlate(Campaign).scalar_subquery()
    )
    statement: Select[*tuple[Any, ...]] = (
        select(
            Campaign,
            TemplateVersion,
            Segment,
            Decision,
            Unit,
            Unit.name.label("unit"),
            func.sms_now().label("now"),
            Unit.path.label("path"),
            Template.name.label("template"),
            Template.class_.label("class_"),
            segment_unit.path.label("segment_path"),
            USED_SEGMENTS.label("used"),
            USED_LISTS.label("lists_used"),
            ITEMS.label("items"),
            POOLS.label("pools"),
            Route.name.label("route"),
            Account.login.label("login"),
            Account.name.label("decider"),
            lender.name.label("lender"),
            Run.id.label("run_id"),
            Run.status.label("run_status"),
            Run.audience.label("audience"),
            Run.due_at.label("due_at"),
            is_stopped(Unit.path, Campaign.route_id).label("stopped"),
        )
        .join(Unit, Unit.id == Campaign.unit_id)
        .join(TemplateVersion, TemplateVersion.id == Campaign.template_version_id)
        .join(Template, Template.id == TemplateVersion.template_id)
        .join(Segment, Segment.id == Campaign.segment_id)
        .join(segment_unit, segment_unit.id == Segment.unit_id)
        .join(Route, Route.id == Campaign.route_id)
        .outerjoin(Decision, Decision.id == last)
        .outerjoin(Account, Account.id == Decision.account_id)
        .outerjoin(lender, lender.id == Decision.lender_id)
        .outerjoin(Run, (Run.campaign_id == Campaign.id) & (Campaign.kind == CampaignKind.plain))
    )
    return statement
