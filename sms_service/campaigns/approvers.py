"""Who may approve a campaign, by which right, and who has done so."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import JSON, BigInteger, ColumnElement, Text, cast, func, literal, literal_column, null, select
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlalchemy.orm import Session, aliased

from sms_service.accounts.actors import Actor, people_behind, select_lent, units
from sms_service.accounts.models import Account, Delegation
from sms_service.accounts.permissions import PERMISSIONS, Permission
from sms_service.accounts.services import select_holders
from sms_service.campaigns.approval_rules import AskedApproval
from sms_service.campaigns.authorship import Authored, is_one_person, select_authors
from sms_service.campaigns.models import Campaign, Decision
from sms_service.campaigns.rule_models import rank_level
from sms_service.directory.models import Unit
from sms_service.said import Said, Word, say


class HeldRight(NamedTuple):
    """A right to approve: `level` is that of the unit on which it is held (None: the service itself holds it),
    `lender_id` the account that lent it.
    """

    level: str | None
    lender_id: int | None


class GivenApproval(NamedTuple):
    """An approval that counts for a campaign as it stands. `name`: None for the service itself; `lender`: the name of
    whoever lent the right.
    """

    account_id: int | None
    name: str | None
    lender_id: int | None
    lender: str | None
    level: str | None
    at: datetime


def list_given(session: Session, campaign: Campaign, digest: bytes) -> list[GivenApproval]:
    """The approvals of exactly this content since the campaign was submitted last, oldest first."""
    return read_given(session.scalar(select(select_given()).where(Campaign.id == campaign.id)), digest)


def select_given() -> ColumnElement[Any]:
    """The approvals of the campaign of a statement since it was submitted last, as a column; see `read_given`."""
    gave, giver, lender = aliased(Decision), aliased(Account), aliased(Account)
    columns = {
        "account_id": gave.account_id,
        "name": giver.name,
        "lender_id": gave.lender_id,
        "lender": lender.name,
        "level": gave.level,
        "at": gave.at,
        "digest": func.encode(gave.digest, "hex"),
    }
    said = func.json_build_object(*(part for name in columns for part in (literal_column(f"'{name}'"), columns[name])))
    return (
        select(func.json_agg(aggregate_order_by(said, gave.id), type_=JSON))
        .select_from(gave)
        .outerjoin(giver, giver.id == gave.account_id)
        .outerjoin(lender, lender.id == gave.lender_id)
        .where(
            gave.campaign_id == Campaign.id,
            gave.submission == Campaign.submissions,
            gave.decided == "approved",
            ~gave.self_service,
        )
        .correlate(Campaign)
        .scalar_subquery()
    )


def read_given(found: Sequence[Mapping[str, Any]] | None, digest: bytes) -> list[GivenApproval]:
    """What `select_given` found of exactly this content."""
    return [
        GivenApproval(**{**one, "at": datetime.fromisoformat(one["at"])})
        for one in (
            {name: value for name, value in row.items() if name != "digest"}
            for row in found or ()
            if row["digest"] == digest.hex()
        )
    ]


def select_line(path: ColumnElement[str]) -> ColumnElement[Any]:
    """The levels of the unit at `path` and of those above it, by their ids, as a column of a statement."""
    above = aliased(Unit)
    return (
        select(func.json_object_agg(above.id, above.level, type_=JSON))
        .where(path.op("^@")(above.path))
        .scalar_subquery()
    )


def list_levels(actor: Actor, path: str, line: Mapping[str, str]) -> list[str | None]:
    """The levels on which the actor holds the right to approve what the unit at `path` sends, as `HeldRight` has them;
    `line`: what `select_line` found.
    """
    return [right.level for right in _list_rights(actor, path, line)]


def has_level(levels: Collection[str | None], asked: str | None) -> bool:
    """Whether one of these levels is the one that is asked for, or above it."""
    return any(_reaches(HeldRight(level, None), asked) for level in levels)


def count_given(asked: AskedApproval, given: Iterable[GivenApproval]) -> int:
    """How many of these approvals count for what is asked."""
    return sum(_reaches(HeldRight(one.level, one.lender_id), asked.level) for one in given)


def find_right(
    session: Session,
    actor: Actor,
    campaign: Campaign,
    path: str,
    authored: Sequence[Authored],
    asked: AskedApproval | None = None,
    given: Sequence[GivenApproval] = (),
    line: Mapping[str, str] | None = None,
) -> HeldRight | Said:
    """The right by which the actor may decide on the campaign of the unit at `path`, or why they may not although they
    may on others: their own before one that was lent to them.

    They may not if they wrote, changed or submitted it, or if their owner could have logged in as an author, or an
    author as them. Otherwise an administrator could create an approver and approve their own text. The same holds
    between those who approve it (`given`), and for whoever lent the right, as if they acted themselves. `line`: what
    `select_line` found of the unit, where it was read with the campaign.
    """
    if actor.account_id is None:
        return HeldRight(None, None)
    if line is None:
        line = session.scalar(select(select_line(literal(path)))) or {}
    rights = _list_rights(actor, path, line)
    fit = [right for right in rights if asked is None or _reaches(right, asked.level)]
    if not fit:
        level = asked.level if asked is not None and asked.level is not None else "city"
        message = "campaign {campaign} needs an approver of the {level} or above"
        return say(message, campaign=campaign.id, level=Word(level, {}))
    authors = {one.account_id for one in authored} | {campaign.created_by}
    before = {one for gave in given for one in (gave.account_id, gave.lender_id)}
    known = {one for one in authors | before if one is not None}
    hands = {actor.account_id, *(right.lender_id for right in fit if right.lender_id is not None)}
    behind = people_behind(session, {*hands, *known})
    reasons = []
    for right in fit:
        why_not = _say_why_not(actor, right, campaign, authors, before, behind)
        if why_not is None:
            return right
        reasons.append(why_not)
    return reasons[0]


def say_why_author(session: Session, actor: Actor, campaign: Campaign, authored: Sequence[Authored]) -> Said | None:
    """Why the actor decides nothing about the campaign, as one who wrote, changed or submitted it, or may be the same
    person; None: they did not.
    """
    if actor.account_id is None:
        return None
    authors = {one.account_id for one in authored} | {campaign.created_by}
    known = {one for one in authors if one is not None}
    behind = people_behind(session, {actor.account_id, *known})
    return _say_why_not(actor, HeldRight(None, None), campaign, authors, (), behind)


def find_approvers(
    session: Session,
    campaign: Campaign,
    path: str,
    submitter: int | None = None,
    most: int = 3,
    asked: AskedApproval | None = None,
    given: Sequence[GivenApproval] = (),
) -> list[str]:
    """The names of people who may approve the campaign of the unit at `path`, the nearest first, also by delegation.
    `submitter`: the account that is about to submit it and so has a hand in it; `asked`: what it needs; `given`: who
    has approved it already.
    """
    nobody = cast(null(), BigInteger)
    wrote = select(
        select_authors(campaign).subquery().c.account_id.label("account_id"),
        cast(null(), Text).label("name"),
        literal(0).label("near"),
        nobody.label("unit_id"),
        nobody.label("lender_id"),
    )
    holders = select_holders(Permission.approve_campaigns, path).add_columns(units.c.id, nobody)
    delegate = aliased(Account)
    lent = (
        select_lent(literal(path).op("^@")(units.c.path), delegate.disabled_at.is_(None))
        .join(delegate, delegate.id == Delegation.account_id)
        .with_only_columns(
            delegate.id, delegate.name, func.length(units.c.path), Delegation.unit_id, Delegation.lender_id
        )
    )
    found = wrote.union_all(holders, lent).subquery("found").c
    rows = session.execute(
        select(found.account_id, found.name, found.near, found.lender_id, Unit.level).outerjoin(
            Unit, Unit.id == found.unit_id
        )
    ).all()
    authors = {row[0] for row in rows if row[1] is None} | {campaign.created_by, submitter}
    before = {one for gave in given for one in (gave.account_id, gave.lender_id)}
    barred = {one for one in authors | before if one is not None}
    level = asked.level if asked is not None else None
    held = [row for row in rows if row[1] is not None and _reaches(HeldRight(row[4], row[3]), level)]
    hands = {one for row in held for one in (row[0], row[3]) if one is not None}
    behind = people_behind(session, {*barred, *hands})
    able = {one for one in hands if one not in barred and not is_one_person(one, barred, behind)}
    best: dict[int, tuple[int, str]] = {}
    for account, called, nearness, lender, _ in held:
        if account in able and (lender is None or lender in able):
            best[account] = max(best.get(account, (0, called)), (nearness, called))
    return [best[one][1] for one in sorted(best, key=lambda one: (-best[one][0], one))[:most]]


def _list_rights(actor: Actor, path: str, line: Mapping[str, str]) -> list[HeldRight]:
    """The actor's rights to approve what the unit at `path` sends: own ones first, then the highest."""
    held = [
        grant
        for grant in actor.grants
        if Permission.approve_campaigns in PERMISSIONS[grant.role] and path.startswith(grant.path)
    ]
    rights = [HeldRight(line[str(grant.unit_id)], grant.lender_id) for grant in held]
    return sorted(rights, key=lambda one: (one.lender_id is not None, rank_level(one.level or ""), one.lender_id or 0))


def _reaches(right: HeldRight, level: str | None) -> bool:
    """Whether the right is held on a unit of this level or of a higher one."""
    return level is None or right.level is None or rank_level(right.level) <= rank_level(level)


def _say_why_not(
    actor: Actor,
    right: HeldRight,
    campaign: Campaign,
    authors: Collection[int | None],
    before: Collection[int | None],
    behind: dict[int, set[int]],
) -> Said | None:
    assert actor.account_id is not None
    names = {"login": actor.login, "campaign": campaign.id}
    wrote, gave = ({one for one in ids if one is not None} for ids in (authors, before))
    if actor.account_id in wrote:
        return say("{login} had a hand in campaign {campaign}; another person must decide on it", **names)
    if is_one_person(actor.account_id, wrote, behind):
        return say(
            "{login} is no other person than who wrote campaign {campaign}: one of the two created the other's "
            "account or set its password, or did so for an account that did; another approver must decide on it",
            **names,
        )
    if actor.account_id in gave:
        return say("{login} has approved campaign {campaign} already; another person must do so too", **names)
    if is_one_person(actor.account_id, gave, behind):
        return say(
            "{login} is no other person than who approved campaign {campaign} already: one of the two created the "
            "other's account or set its password, or did so for an account that did; another person must do so too",
            **names,
        )
    hands = wrote | gave
    if right.lender_id is not None and (right.lender_id in hands or is_one_person(right.lender_id, hands, behind)):
        return say(
            "{login} would decide on campaign {campaign} by delegation of somebody who wrote or approved it; another "
            "person must decide on it",
            **names,
        )
    return None
