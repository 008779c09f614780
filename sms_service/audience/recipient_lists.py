"""Lists for one campaign: made of a checked file, found, and emptied.

A list is for texts whose words differ by person (座位, 场次) or for people whom no rule finds. It comes in as files of
people do (`directory.drafts`), with the kind `recipients`; taking it changes nobody in the register.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import PurePath

from sqlalchemy import DateTime, Select, cast, delete, func, or_, select
from sqlalchemy.orm import Session

from sms_service.accounts.actors import Actor, unit_path
from sms_service.accounts.permissions import Permission
from sms_service.audience import segments
from sms_service.audience.list_models import IS_OVER, RecipientList, RecipientRow
from sms_service.audit import trail
from sms_service.db.statements import Statement
from sms_service.directory.import_models import Import
from sms_service.directory.models import GUEST, Person, Unit
from sms_service.directory.outcomes import header_of
from sms_service.directory.text import visible_text
from sms_service.errors import NotFound
from sms_service.said import say

_make_list_rows = Statement(__file__, "make_list_rows")
_seal_list = Statement(__file__, "seal_list")

# A list nobody uses is emptied after the same time as one whose last run is over (`personal.list_endings`).
FIRST_LOOK = timedelta(days=1)


def make_list(session: Session, actor: Actor, record: Import) -> RecipientList:
    """The list of an import that is being taken, and a segment of those on it, both named after the file.

    Raises Forbidden without manage_segments over the import's unit.
    """
    assert record.unit_id is not None, "a list is uploaded for a unit"
    stem = visible_text(PurePath(record.file_name).stem) or "名单"
    name = segments.find_free_name(session, record.unit_id, stem[: segments.LONGEST_NAME])
    made = RecipientList(
        unit_id=record.unit_id,
        import_id=record.id,
        name=name,
        file_name=record.file_name,
        columns=list(header_of(session, record).extras),
        people=record.created + record.unchanged,
        guests=record.created,
        digest=b"",
        created_by=actor.account_id,
        look_at=_now(session) + FIRST_LOOK,
    )
    session.add(made)
    session.flush()
    _make_list_rows(session.connection(), list_id=made.id, import_id=record.id)
    _seal_list(session.connection(), list_id=made.id)
    made.segment_id = segments.create_segment(session, actor, made.unit_id, name, {"list": made.id}).id
    session.flush()
    session.refresh(made)
    return made


def get_list(session: Session, actor: Actor, list_id: int) -> RecipientList:
    """A list that the actor may use. Raises NotFound or Forbidden."""
    found = session.get(RecipientList, list_id)
    if found is None:
        raise NotFound("list", list_id)
    actor.require_use(unit_path(session, found.unit_id), say("list {list}", list=found.id))
    return found


def find_lists(paths: Sequence[str], *, import_id: int | None = None) -> Select[RecipientList]:
    """The lists of the units within the subtrees at `paths`, to be ordered and paged."""
    statement = select(RecipientList).join(Unit, Unit.id == RecipientList.unit_id)
    statement = statement.where(or_(*(Unit.path.op("^@")(path) for path in paths)))
    return statement if import_id is None else statement.where(RecipientList.import_id == import_id)


def find_list_rows(session: Session, actor: Actor, found: RecipientList) -> Select[RecipientRow, Person]:
    """The rows of the list with their people, to be paged by row.

    Raises Forbidden without the right to read over the list's unit: what rows say may be personal.
    """
    actor.require(Permission.read, unit_path(session, found.unit_id))
    return (
        select(RecipientRow, Person)
        .join(Person, Person.id == RecipientRow.person_id)
        .where(RecipientRow.list_id == found.id)
    )


def select_emptied_segments() -> Select[int | None]:
    """The segments of lists that find nobody any more."""
    return select(RecipientList.segment_id).where(IS_OVER, RecipientList.segment_id.is_not(None))


def list_guests(session: Session, list_id: int, most: int) -> list[int]:
    """Some of the guests that are on the list still."""
    guests = (
        select(Person.id)
        .join(RecipientRow, RecipientRow.person_id == Person.id)
        .where(RecipientRow.list_id == list_id, Person.kind == GUEST)
    )
    return list(session.scalars(guests.order_by(Person.id).limit(most)))


def empty_list(session: Session, found: RecipientList, account_id: int | None) -> None:
    """Delete the rows of a list whose guests are erased; from then on it finds nobody."""
    gone = session.execute(delete(RecipientRow).where(RecipientRow.list_id == found.id))
    found.look_at, found.emptied_at = None, _now(session)
    session.flush()
    path = unit_path(session, found.unit_id)
    rows: int = gone.rowcount  # type: ignore[attr-defined]
    trail.record_act(session, account_id, "recipient_list.empty", "recipient_list", found.id, path, rows=rows)


def erase_listed(session: Session, person_id: int) -> int:
    """Take the person off all lists; returns off how many. The digests stay what was approved."""
    gone = session.execute(delete(RecipientRow).where(RecipientRow.person_id == person_id))
    return int(gone.rowcount)  # type: ignore[attr-defined]


def _now(session: Session) -> datetime:
    return session.scalars(select(cast(func.sms_now(), DateTime(timezone=True)))).one()
