"""Asking for rows of the ledger: the filters that counts and lists share, within the caller's scope."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from marshmallow import fields
from sqlalchemy import Row
from sqlalchemy.orm import Session

from sms_service.accounts.actors import Actor, unit_path
from sms_service.accounts.permissions import Permission
from sms_service.ledger.archived import require_unarchived
from sms_service.ledger.models import KINDS, Message
from sms_service.ledger.states import MessageStatus
from sms_service.reports.filters import Filter
from sms_service.reports.messages import check_named, find_messages, find_open_keys, month_of_run, read_messages
from sms_service.vocabulary import Carrier, TextClass
from sms_service.web.paging import Scope, fetch_page, scope_filter
from sms_service.web.schemas import MAX_ID, Id, In
from sms_service.web.validators import OneOfWords, WithinRange


class MessageFilter(In):
    """Filters; all that are given must hold."""

    unit = Id(
        load_default=None,
        metadata={"description": "Only this unit's subtree; by default everything that the caller may read"},
    )
    subtree = fields.Boolean(
        load_default=True, metadata={"description": "False: the rows of the units themselves, not of those below"}
    )
    under = Id(
        load_default=None,
        metadata={
            "description": "Only what was within this unit's subtree at launch; `unit` may then be one that has moved "
            "out since"
        },
    )
    campaign = Id(load_default=None, metadata={"description": "Only this campaign"})
    run = Id(load_default=None, metadata={"description": "Only this run"})
    item = Id(load_default=None, metadata={"description": "Only this text of a campaign, by its number"})
    template = fields.Integer(
        load_default=None,
        validate=WithinRange(0, MAX_ID),
        metadata={"description": "Only texts rendered from this template; 0: from none"},
    )
    category = fields.Integer(
        load_default=None,
        validate=WithinRange(0, MAX_ID),
        metadata={"description": "Only texts rendered from templates of this category; 0: of none"},
    )
    sender = Id(load_default=None, metadata={"description": "Only texts that units in this unit's subtree sent"})
    sender_subtree = fields.Boolean(
        load_default=True, metadata={"description": "False: only texts that `sender` itself sent"}
    )
    since = fields.Date(
        load_default=None,
        metadata={"description": "Only runs launched on this local day or later, such as 2026-12-01"},
    )
    until = fields.Date(load_default=None, metadata={"description": "Only runs launched on this local day or earlier"})
    status = fields.String(
        load_default=None,
        validate=OneOfWords([*MessageStatus]),
        metadata={"description": "Only messages of this status"},
    )
    reason = fields.String(
        load_default=None, metadata={"description": "Only messages with this reason; empty: with none"}
    )
    code = fields.String(
        load_default=None,
        metadata={"description": "Only messages with this code of the provider's own; empty: with none"},
    )
    class_ = fields.String(
        data_key="class",
        load_default=None,
        validate=OneOfWords([*TextClass]),
        metadata={"description": "Only texts of this class"},
    )
    kind = fields.String(
        load_default=None,
        validate=OneOfWords(KINDS),
        metadata={"description": "Only runs of this kind: those of campaigns, test sends, answers or notices"},
    )
    of_campaign = fields.Boolean(
        load_default=None,
        metadata={"description": "True: only texts of campaigns; false: only those of none, such as test sends"},
    )
    account = fields.String(
        load_default=None,
        metadata={"description": "Only messages that this gateway account had last, by its name; empty: none had"},
    )
    carrier = fields.String(
        load_default=None,
        validate=OneOfWords(["", *Carrier]),
        metadata={
            "description": "Only numbers that this carrier gave out: `mobile`, `unicom`, `telecom` or `broadnet`; "
            "empty: not told"
        },
    )
    unclassified = fields.String(
        load_default=None,
        metadata={
            "description": "Only messages of which `account`, or any, answered or reported this code of the provider's "
            "own, which no table has"
        },
    )
    changed_since = fields.AwareDateTime(
        load_default=None, metadata={"description": "Only messages whose status changed last at this moment or later"}
    )
    changed_before = fields.AwareDateTime(
        load_default=None, metadata={"description": "Only messages whose status changed last before this moment"}
    )


def scope_messages(session: Session, actor: Actor, query: Mapping[str, Any]) -> tuple[Scope, Filter]:
    """What a MessageFilter asks for, within the caller's scope. Raises NotFound or Forbidden for what it names."""
    under = query["under"]
    scope = scope_filter(session, actor, Permission.read, query["unit"] if under is None else under)
    paths = scope.paths if under is None or query["unit"] is None else (unit_path(session, query["unit"]),)
    rows = Filter(
        paths,
        campaign_id=query["campaign"],
        run_id=query["run"],
        since=query["since"],
        until=query["until"],
        status=query["status"],
        reason=query["reason"],
        account=query["account"],
        code=query["code"],
        class_=query["class_"],
        kind=query["kind"],
        of_campaign=query["of_campaign"],
        changed_since=query["changed_since"],
        changed_before=query["changed_before"],
        unclassified=query["unclassified"],
        item=query["item"],
        template_id=query["template"],
        category_id=query["category"],
        sender=None if query["sender"] is None else unit_path(session, query["sender"]),
        sender_subtree=query["sender_subtree"],
        carrier=query["carrier"],
        subtree=query["subtree"],
        under=None if under is None else scope.paths[0],
    )
    check_named(session, actor, rows)
    return scope, rows


def name_filters(query: Mapping[str, Any]) -> dict[str, str]:
    """What a MessageFilter asks for, as an address has it; what says nothing is left out."""
    given = {
        field.data_key or name: _word(query[name])
        for name, field in MessageFilter().fields.items()
        if query[name] is not None
    }
    for name in ("subtree", "sender_subtree"):
        if query[name]:
            del given[name]
    return given


def _word(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return value.isoformat() if isinstance(value, date) else str(value)


def fetch_messages(session: Session, rows: Filter, query: Mapping[str, Any]) -> tuple[list[Row[Any]], str | None]:
    """One page of the rows as `find_messages` gives them, and the cursor of the next.

    The order is that of an index, of a run's rows or of all, so that a page costs what is on it. Raises Conflict where
    some of the rows are archived.
    """
    keys = find_open_keys(rows)
    if keys is not None:
        columns = keys.selected_columns
        page, following = fetch_page(
            session, keys, query, sort="month", key=columns.month.element, id_=columns.id.element
        )
        return read_messages(session, [(row.month, row.id) for row in page]), following
    require_unarchived(session, *rows.of_runs())
    statement = find_messages(rows)
    if rows.run_id is None:
        return fetch_page(session, statement, query, sort="month", key=Message.month, id_=Message.id)
    statement = statement.where(Message.month == month_of_run(session, rows.run_id))
    return fetch_page(session, statement, query, sort="person", key=Message.person_id, id_=Message.unit_id)
