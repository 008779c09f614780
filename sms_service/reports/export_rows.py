"""The rows of an export: which columns there are, and each row of the ledger as cells."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date, datetime
from functools import cache
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, Row, Select, case, func, null, select, true

from sms_service.accounts.actors import Actor
from sms_service.accounts.permissions import Permission
from sms_service.campaigns.models import Campaign
from sms_service.controls.models import GatewayAccount
from sms_service.directory.models import Person, Unit
from sms_service.errors import Invalid
from sms_service.ledger.archived import require_unarchived
from sms_service.ledger.models import Attempt, Message, Run
from sms_service.ledger.states import AttemptStatus
from sms_service.masking import mask_phone, mask_text
from sms_service.reports.export_files import Cell
from sms_service.reports.filters import LEDGER, Filter
from sms_service.reports.parts import parts_taken
from sms_service.said import Said, say

AT_ONCE = 2_000  # rows that are fetched together
_TIMES = (
    select(
        func.max(Attempt.started_at).label("sent_at"),
        func.max(Attempt.final_at).filter(Attempt.status == AttemptStatus.delivered).label("delivered_at"),
    )
    .where(Attempt.month == Message.month, Attempt.message_id == Message.id)
    .correlate(Message)
    .lateral("times")
)


class ExportColumn(NamedTuple):
    """A column of an export. `sql`: what is read for it; `is_default`: there unless other columns are asked for;
    `is_personal`: shown of units alone that the account may read by now.
    """

    label: Said
    sql: Any = None
    is_default: bool = True
    is_personal: bool = False


# In the order in which offices have them; `number` counts the rows of the file.
COLUMNS: Mapping[str, ExportColumn] = {
    "number": ExportColumn(say("No.")),
    "unit": ExportColumn(say("Unit"), Unit.name),
    "unit_code": ExportColumn(say("Unit code"), Unit.code),
    "person": ExportColumn(say("Name"), Person.name, is_personal=True),
    "phone": ExportColumn(say("Phone number"), Message.phone, is_personal=True),
    "campaign": ExportColumn(say("Campaign"), Campaign.name),
    "run": ExportColumn(say("Run"), Run.id),
    "class": ExportColumn(say("Class"), Run.class_),
    "sent_at": ExportColumn(say("Sent at"), _TIMES.c.sent_at),
    "status": ExportColumn(say("Status"), Message.status),
    "reason": ExportColumn(say("Reason"), Message.reason),
    "carrier": ExportColumn(say("Carrier"), LEDGER.carrier),
    "parts": ExportColumn(say("Parts"), parts_taken()),
    "cost": ExportColumn(say("Cost (yuan)"), parts_taken()),
    "delivered_at": ExportColumn(say("Delivered at"), _TIMES.c.delivered_at),
    "day": ExportColumn(say("Day of launch"), Run.day, is_default=False),
    "item": ExportColumn(say("Text of the campaign"), LEDGER.item, is_default=False),
    "kind": ExportColumn(say("What it is"), Run.kind, is_default=False),
    "code": ExportColumn(say("Code of the provider"), Message.raw_code, is_default=False),
    "account": ExportColumn(say("Gateway account"), GatewayAccount.name, is_default=False),
    "message": ExportColumn(say("Number in the ledger"), Message.id, is_default=False),
    "changed_at": ExportColumn(say("Last change"), Message.changed_at, is_default=False),
    "text": ExportColumn(say("Text"), case((Run.hides_text, null()), else_=Message.text), False, is_personal=True),
}
DEFAULT_COLUMNS = tuple(name for name, column in COLUMNS.items() if column.is_default)
PERSONAL_COLUMNS = tuple(name for name, column in COLUMNS.items() if column.is_personal)


@dataclass(frozen=True, slots=True)
class FileWording:
    """The words of a language. `name`: what a word of `kind`, such as "MessageStatus", is called."""

    translate: Callable[[Said], str]
    name: Callable[[str, str], Said]


@dataclass(frozen=True, slots=True)
class RowsSpec:
    """What of the ledger goes into a file. `prices`: fen for a part, by gateway account; `zone`: of all times."""

    rows: Filter
    columns: Sequence[str]
    whole_phones: bool
    prices: Mapping[str, float]
    zone: ZoneInfo


def check_columns(columns: Sequence[str]) -> None:
    """Raises Invalid (`columns`) for none, for one that there is not, and for one that is there twice."""
    unknown = next((name for name in columns if name not in COLUMNS), None)
    if unknown is not None or not columns or len(set(columns)) < len(columns):
        raise Invalid("columns", unknown, say("must be some of {columns}, each once", columns=tuple(COLUMNS)))


def dump_filter(rows: Filter) -> dict[str, Any]:
    """The filter as JSON."""
    given = {field.name: getattr(rows, field.name) for field in fields(rows)}
    return {
        name: value.isoformat() if isinstance(value, date) else list(value) if name == "paths" else value
        for name, value in given.items()
    }


def load_filter(dumped: Mapping[str, Any]) -> Filter:
    """The filter of `dump_filter`."""
    read: dict[str, Callable[[str], date]] = {"since": date.fromisoformat, "until": date.fromisoformat}
    read |= dict.fromkeys(("changed_since", "changed_before"), datetime.fromisoformat)
    given: dict[str, Any] = {
        name: read[name](value) if name in read and value is not None else value for name, value in dumped.items()
    }
    return Filter(**given)


def count_export_rows(connection: Connection, rows: Filter) -> int:
    """How many rows an export of the filter has. Raises Conflict where some are archived."""
    require_unarchived(connection, *rows.of_runs())
    return int(connection.execute(_joined(select(func.count())).where(*rows.conditions())).scalar_one())


def stream_rows(connection: Connection, spec: RowsSpec, actor: Actor, wording: FileWording) -> Iterator[list[Cell]]:
    """Each row as cells, by month and number in the ledger, with a cursor of the server's. Whom a text went to is empty
    where the actor may not read the unit where it is by now.
    """
    wanted = [name for name in spec.columns if COLUMNS[name].sql is not None]
    statement: Select[*tuple[Any, ...]] = select(
        *(COLUMNS[name].sql.label(f"c_{name}") for name in wanted),
        func.coalesce(Unit.path, Message.unit_path).label("unit_now"),
        GatewayAccount.name.label("account_name"),
    )
    statement = _joined(statement).where(*spec.rows.conditions()).order_by(Message.month, Message.id)
    statement = statement.outerjoin(Campaign, Campaign.id == Run.campaign_id)
    statement = statement.outerjoin(Person, Person.id == Message.person_id)
    statement = statement.outerjoin(Unit, Unit.id == Message.unit_id)
    if {"sent_at", "delivered_at"} & set(wanted):
        statement = statement.outerjoin(_TIMES, true())
    readers = [_reader(name, spec, actor, wording) for name in spec.columns]
    streaming = connection.execution_options(stream_results=True, yield_per=AT_ONCE)
    for number, row in enumerate(streaming.execute(statement), 1):
        yield [read(row, number) for read in readers]


def _joined(statement: Select[*tuple[Any, ...]]) -> Select[*tuple[Any, ...]]:
    return (
        statement.select_from(Message)
        .join(Run, (Run.id == Message.run_id) & (Run.month == Message.month))
        .outerjoin(GatewayAccount, GatewayAccount.id == Message.gateway_account_id)
    )


def _reader(name: str, spec: RowsSpec, actor: Actor, wording: FileWording) -> Callable[[Row[Any], int], Cell]:
    """How a cell of this column is read from a row."""
    key = f"c_{name}"

    @cache
    def can(permission: Permission, path: str) -> bool:
        return actor.can(permission, path)

    @cache
    def word(kind: str, member: str) -> str:
        return wording.translate(wording.name(kind, member))

    def phone(row: Row[Any], _: int) -> Cell:
        whole: str | None = getattr(row, key)
        if whole is None or not can(Permission.read, row.unit_now):
            return None
        shown = whole if spec.whole_phones and can(Permission.see_phones, row.unit_now) else mask_phone(whole)
        return shown.removeprefix("+86")  # as offices write them, and no sign in front that a spreadsheet computes

    def personal(row: Row[Any], _: int) -> Cell:
        value: str | None = getattr(row, key) if can(Permission.read, row.unit_now) else None
        return mask_text(value) if name == "text" and value is not None else value

    def moment(row: Row[Any], _: int) -> Cell:
        at: datetime | None = getattr(row, key)
        return None if at is None else at.astimezone(spec.zone).replace(tzinfo=None, microsecond=0)

    def cost(row: Row[Any], _: int) -> Cell:
        parts, price = int(getattr(row, key)), spec.prices.get(row.account_name)
        return 0 if not parts else None if price is None else round(parts * price / 100, 4)

    def named(kind: str) -> Callable[[Row[Any], int], Cell]:
        return lambda row, _: None if getattr(row, key) is None else word(kind, getattr(row, key))

    kinds = {"status": "MessageStatus", "reason": "MessageReason", "class": "TextClass", "kind": "run"}
    match name:
        case "number":
            return lambda _, number: number
        case "phone":
            return phone
        case "person" | "text":
            return personal
        case "sent_at" | "delivered_at" | "changed_at":
            return moment
        case "cost":
            return cost
        case "parts":
            return lambda row, _: int(getattr(row, key))
        case "carrier":
            return named("Carrier")
        case _ if name in kinds:
            return named(kinds[name])
    return lambda row, _: getattr(row, key)
