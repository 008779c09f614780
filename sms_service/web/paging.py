"""Lists: the scope they cover, and their pages, by keyset on (sort key, id). No list uses an offset.

scope = scope_filter(g.session, g.actor, Permission.read, query["unit"])
statement = select(Person).join(Unit).where(scope.covers(Unit.path))
items, following = page(g.session, statement, query, sort="name", key=Person.name, id_=Person.id)
return scope.answer(items, following)
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from marshmallow import fields
from sqlalchemy import ColumnElement, Select, false, or_, select, tuple_
from sqlalchemy.orm import InstrumentedAttribute, Session

from sms_service.accounts.actors import Actor, unit_path
from sms_service.accounts.permissions import Permission
from sms_service.directory.models import Unit
from sms_service.errors import Forbidden, Invalid
from sms_service.said import say
from sms_service.web.schemas import MAX_ID, Id, In, Whole, find_unstorable
from sms_service.web.validators import WithinRange

DEFAULT_LIMIT = 50
MAX_LIMIT = 200


class PageQuery(In):
    """The query of every list; subclasses add filters."""

    limit = Whole(
        load_default=DEFAULT_LIMIT,
        validate=WithinRange(1, MAX_LIMIT),
        metadata={"description": "Items a page"},
    )
    cursor = fields.String(
        load_default=None,
        metadata={"description": "`next` of the page before, unchanged; leave out for the first page"},
    )


class ScopedPageQuery(PageQuery):
    """The query of a list that covers units."""

    unit = Id(
        load_default=None,
        metadata={"description": "Cover this unit's subtree only; by default everything that the caller may read"},
    )


@dataclass(frozen=True, slots=True)
class Scope:
    """The subtrees that a list covers: their paths, and their units as the answer shows them."""

    paths: tuple[str, ...]
    units: tuple[Unit, ...]

    def covers(self, path: InstrumentedAttribute[str] | ColumnElement[str]) -> ColumnElement[bool]:
        """The SQL condition that a unit path lies within the scope."""
        return or_(false(), *(path.op("^@")(prefix) for prefix in self.paths))

    def answer(self, items: Sequence[Any], following: str | None) -> dict[str, Any]:
        """The body of the list's answer, for a schema made by `schemas.list_of`."""
        return {"scope": self.units, "items": items, "next": following}


def scope_filter(session: Session, actor: Actor, permission: Permission, unit_id: int | None) -> Scope:
    """What a list covers: the subtree of `unit_id` or, if that is None, all subtrees over which the actor holds
    `permission`.

    Raises NotFound if there is no such unit, Forbidden if it lies outside or the actor holds the permission nowhere.
    """
    if unit_id is None:
        paths = actor.scope(permission)
        if not paths:
            raise Forbidden(
                say(
                    "{login} does not hold the permission {permission} over any unit",
                    login=actor.login,
                    permission=permission,
                )
            )
        named: ColumnElement[bool] = Unit.parent_id.is_(None) if paths == ("/",) else Unit.path.in_(paths)
    else:
        path = unit_path(session, unit_id)
        actor.require(permission, path)
        paths, named = (path,), Unit.id == unit_id
    return Scope(paths=paths, units=tuple(session.scalars(select(Unit).where(named).order_by(Unit.path))))


def fetch_page(
    session: Session,
    statement: Select[*tuple[Any, ...]],
    query: Mapping[str, Any],
    *,
    sort: str,
    key: InstrumentedAttribute[Any] | ColumnElement[Any],
    id_: InstrumentedAttribute[int] | ColumnElement[int],
    descending: bool = False,
) -> tuple[list[Any], str | None]:
    """One page of `statement`, ordered by (`key`, `id_`), and the cursor of the next page (None on the last).

    `query` holds `limit` and `cursor` (see PageQuery). `sort` names the order; a cursor of another order is refused
    with Invalid. `key` must never be NULL and (key, id) must be unique; to sort by id alone, give the id for both. If
    the statement has one column or entity, the page is a list of these; otherwise it is a list of rows, which have the
    columns `page_key` and `page_id` after their own.
    """
    name = f"{sort}{' descending' if descending else ''}"
    limit: int = query["limit"]
    keyset = tuple_(key, id_)
    if query["cursor"] is not None:
        last = decode_cursor(query["cursor"], name, key.type.python_type)
        after = tuple_(*last, types=[key.type, id_.type])
        statement = statement.where(keyset < after if descending else keyset > after)
        # Repeat the condition for the key alone: a condition on a pair does not let PostgreSQL skip partitions.
        statement = statement.where(key <= last[0] if descending else key >= last[0])
    order = [key.desc(), id_.desc()] if descending else [key.asc(), id_.asc()]
    statement = statement.add_columns(key.label("page_key"), id_.label("page_id")).order_by(*order).limit(limit + 1)
    rows = session.execute(statement).all()
    items = [row[0] if len(row) == 3 else row for row in rows[:limit]]
    following = encode_cursor(name, rows[limit - 1].page_key, rows[limit - 1].page_id) if len(rows) > limit else None
    return items, following


def encode_cursor(sort: str, key: Any, row_id: int) -> str:
    """The opaque cursor that stands after the row (key, id) in the order named `sort`."""
    value = key.isoformat() if isinstance(key, date) else key
    return base64.urlsafe_b64encode(json.dumps([sort, value, row_id], ensure_ascii=False).encode()).decode().rstrip("=")


def decode_cursor(cursor: str, sort: str, kind: type) -> tuple[Any, int]:
    """The (key, id) in a cursor of `encode_cursor`. Raises Invalid if it was not made for this order and key type."""
    wrong = Invalid(
        "cursor", None, "is not the `next` of a page of this list; leave it out to start from the first page"
    )
    try:
        decoded = json.loads(base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True))
    except (binascii.Error, ValueError, RecursionError):
        raise wrong from None
    if not (isinstance(decoded, list) and len(decoded) == 3 and decoded[0] == sort):
        raise wrong
    _, key, row_id = decoded
    if not _is_id(row_id):
        raise wrong
    if issubclass(kind, date):
        try:
            key = kind.fromisoformat(key)
        except (TypeError, ValueError):
            raise wrong from None
        if isinstance(key, datetime) and key.tzinfo is None:
            raise wrong
    elif type(key) is not kind or find_unstorable(key) or (isinstance(key, int) and abs(key) > MAX_ID):
        raise wrong
    return key, row_id


def _is_id(value: Any) -> bool:
    return type(value) is int and 0 < value <= MAX_ID
