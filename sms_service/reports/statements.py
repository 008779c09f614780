"""Statements: what a unit's counts come to for some days, issued on paper under a number, and kept as they were.

A statement's digest is SHA-256 over its content: JSON in UTF-8, names sorted, no blanks between (`spell_statement`).
Whoever holds the paper can ask later whether number and digest agree, without an account.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Select, false, func, insert, or_, select
from sqlalchemy.orm import Session

from sms_service.accounts.actors import Actor, unit_path
from sms_service.accounts.models import Account
from sms_service.accounts.permissions import Permission
from sms_service.audit import trail
from sms_service.audit.chain import find_chain_state
from sms_service.db.engine import Database
from sms_service.directory.models import CITY_ZONE, Unit
from sms_service.errors import Invalid, NotFound
from sms_service.reports.counts import Count, tabulate_counts
from sms_service.reports.export_models import IssuedStatement
from sms_service.reports.filters import Filter
from sms_service.reports.identity import sum_identity
from sms_service.reports.roll_up_models import DaySeal
from sms_service.reports.sealed_days import count_amendments

_LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"  # without those that look alike on paper
_RANDOM_LETTERS = 8
LONGEST_PERIOD_DAYS = 400


def draw_statement(
    session: Session, actor: Actor, unit_id: int, since: date, until: date, prices: Mapping[str, float]
) -> dict[str, Any]:
    """What a statement of the unit with all below it would say now of the campaigns launched on these days.

    Raises NotFound, Forbidden, or Invalid (`until`) for days in the wrong order or more than 400.
    """
    if until < since or (until - since).days >= LONGEST_PERIOD_DAYS:
        raise Invalid("until", until.isoformat(), "must not be before `since`, nor 400 days or more after it")
    path = unit_path(session, unit_id)
    actor.require(Permission.read, path)
    unit = session.get_one(Unit, unit_id)
    rows = Filter([path], since=since, until=until, kind="campaign")
    tables = {name: tabulate_counts(session, rows, [name], prices) for name in ("status", "class", "unit")}
    identity = sum_identity(session, rows)
    amendments = count_amendments(session, since, until)
    seal = session.scalars(select(DaySeal).where(DaySeal.day <= until).order_by(DaySeal.day.desc()).limit(1)).first()
    head = find_chain_state(session).head
    return {
        "unit": {"id": unit.id, "code": unit.code, "name": unit.name},
        "since": since.isoformat(),
        "until": until.isoformat(),
        "as_of": session.scalars(select(func.sms_now())).one().isoformat(timespec="seconds"),
        "identity": identity and {"runs": identity.runs, "audience": identity.audience, "messages": identity.messages},
        "total": _numbers(tables["status"].total),
        **{f"by_{name}": [_line(line, name) for line in table.lines] for name, table in tables.items()},
        "amendments": amendments,
        "last_seal": seal and {"day": seal.day.isoformat(), "digest": seal.digest.hex()},
        "head": head and str(head),
    }


def draw_in_snapshot(
    database: Database, actor: Actor, unit_id: int, since: date, until: date, prices: Mapping[str, float]
) -> dict[str, Any]:
    """The same with all its tables of one moment, on a connection of its own. Raises what `draw_statement` raises."""
    with database.one_snapshot() as snapshot:
        return draw_statement(Session(snapshot), actor, unit_id, since, until, prices)


def issue_statement(
    session: Session, actor: Actor, content: dict[str, Any], random_bytes: Callable[[int], bytes]
) -> IssuedStatement:
    """Give what `draw_statement` drew a number, and keep it as it is."""
    unit_id = content["unit"]["id"]
    path = unit_path(session, unit_id)
    actor.require(Permission.read, path)
    issuer = None if actor.account_id is None else session.get(Account, actor.account_id)
    at: datetime = session.scalars(select(func.sms_now())).one()
    letters = "".join(_LETTERS[byte % len(_LETTERS)] for byte in random_bytes(_RANDOM_LETTERS))
    number = f"{at.astimezone(ZoneInfo(CITY_ZONE)):%Y%m%d}-{letters}"
    said = spell_statement({**content, "number": number, "issued_by": issuer.name if issuer else None})
    values = {
        "number": number,
        "unit_id": unit_id,
        "since": date.fromisoformat(content["since"]),
        "until": date.fromisoformat(content["until"]),
        "content": said,
        "digest": hashlib.sha256(said.encode()).digest(),
        "issued_by": actor.account_id,
        "issued_at": at,
    }
    statement = session.scalars(insert(IssuedStatement).values(values).returning(IssuedStatement)).one()
    days = {"since": content["since"], "until": content["until"]}
    trail.record_act(
        session, actor.account_id, "statement.issue", "statement", statement.id, path, number=number, **days
    )
    return statement


def spell_statement(content: Mapping[str, Any]) -> str:
    """The text over which the digest is taken."""
    return json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def find_statements(paths: Sequence[str], number: str | None = None) -> Select[IssuedStatement, Unit]:
    """(IssuedStatement, Unit) of the units in these subtrees, or only the one with this number, to be ordered and paged
    by the caller.
    """
    scope = or_(false(), *(Unit.path.op("^@")(path) for path in paths))
    found = select(IssuedStatement, Unit).join(Unit, Unit.id == IssuedStatement.unit_id).where(scope)
    return found if number is None else found.where(IssuedStatement.number == _plain(number))


def get_statement(session: Session, actor: Actor, statement_id: int) -> IssuedStatement:
    """One that was issued. Raises NotFound or Forbidden."""
    statement = session.get(IssuedStatement, statement_id)
    if statement is None:
        raise NotFound("statement", statement_id)
    actor.require(Permission.read, unit_path(session, statement.unit_id))
    return statement


def get_numbered_statement(session: Session, actor: Actor, number: str) -> IssuedStatement:
    """The one with the number that stands on the paper. Raises NotFound or Forbidden."""
    found = session.scalars(select(IssuedStatement.id).where(IssuedStatement.number == _plain(number))).one_or_none()
    if found is None:
        raise NotFound("statement", number)
    return get_statement(session, actor, found)


def check_statement(session: Session, number: str, digest: str) -> tuple[bool, datetime] | None:
    """Whether the digest is the one of the statement with this number, and when that was issued; None if there is none.
    Of the digest 16 digits are enough; blanks, dashes and capitals do not matter.

    Raises Invalid (`digest`).
    """
    given = re.sub(r"[\s-]", "", digest).lower()
    if not re.fullmatch("[0-9a-f]{16,64}", given):
        raise Invalid("digest", None, "must be the digest as it is printed: 16 to 64 of the digits 0 to 9 and a to f")
    wanted = select(IssuedStatement).where(IssuedStatement.number == _plain(number))
    statement = session.scalars(wanted).one_or_none()
    if statement is None:
        return None
    own = hashlib.sha256(statement.content.encode()).hexdigest()  # what is kept, not what was noted beside it
    return hmac.compare_digest(own[: len(given)], given), statement.issued_at


def _plain(number: str) -> str:
    return number.strip().upper()


def _line(line: Count, name: str) -> dict[str, Any]:
    value = line.by[name]
    by = {"code": value["code"], "name": value["name"]} if isinstance(value, dict) else value
    return {"by": by, **_numbers(line)}


def _numbers(count: Count) -> dict[str, Any]:
    cost = None if count.cost_fen is None else round(count.cost_fen)
    return {"people": count.people, "messages": count.messages, "parts": count.parts, "cost_fen": cost}
