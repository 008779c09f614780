"""A person is erased from the register: the row, the roles, and what imports keep of the rows that name them."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, Text, cast, delete, false, func, or_, select, tuple_, union, update
from sqlalchemy.orm import Session

from sms_service.directory.drafts import DRAFT_TABLES, end_draft
from sms_service.directory.import_models import (
    UNDER_WAY_STATES,
    Import,
    ImportAnswer,
    ImportOutcome,
    ImportProblem,
    ImportRow,
    ImportState,
    ImportVanished,
)
from sms_service.directory.models import Contact, Person
from sms_service.said import as_said

FINDING_DAYS = 365  # for which it is known what was wrong with rows of an import that was applied
_ERASED = as_said("it was about a person who has been erased")
_WIDE, _NARROW = "０１２３４５６７８９", "0123456789"


def list_phones_of_others(session: Session, person_id: int, phones: Collection[str]) -> set[str]:
    """Those of these phones that somebody else in the register has."""
    others = select(Person.phone).where(Person.phone.in_(phones), Person.id != person_id).distinct()
    return {phone for phone in session.scalars(others) if phone is not None}


def delete_person(session: Session, person: Person) -> None:
    """Take the person out of the register, with their roles. Whoever has the same number or phone later is another."""
    session.execute(delete(Contact).where(Contact.person_id == person.id))
    session.execute(delete(Person).where(Person.id == person.id))
    session.expunge(person)


def find_findings_about(session: Session, words: Collection[str], phones: Collection[str]) -> Sequence[ImportProblem]:
    """What imports found in rows of which a cell is one of these words (a name, the office's number) or has one of
    these phones, however it was written. All findings, of those imports, of these rows.
    """
    about = _about(words, phones)
    rows = select(ImportProblem.import_id, ImportProblem.row).where(about)
    found = select(ImportProblem).where(tuple_(ImportProblem.import_id, ImportProblem.row).in_(rows))
    return session.scalars(found.order_by(ImportProblem.id)).all()


def erase_findings(session: Session, words: Collection[str], phones: Collection[str]) -> None:
    """Empty them; that there was a finding, in which row and column, stays."""
    ids = [finding.id for finding in find_findings_about(session, words, phones)]
    session.execute(
        update(ImportProblem)
        .where(ImportProblem.id.in_(ids))
        .values(value=None, reason=str(_ERASED), message=_ERASED.message, values={})
        .execution_options(synchronize_session=False)
    )


def forget_findings(session: Session) -> int:
    """Delete what was found a year ago in the rows of an import that was applied, of one import at a time; returns how
    many findings.
    """
    old = Import.applied_at < func.sms_now() - timedelta(days=FINDING_DAYS)
    has = select(ImportProblem.id).where(ImportProblem.import_id == Import.id).exists()
    import_id = session.scalar(select(Import.id).where(old, has).order_by(Import.id).limit(1))
    if import_id is None:
        return 0
    gone = delete(ImportProblem).where(ImportProblem.import_id == import_id).returning(ImportProblem.id)
    return len(session.scalars(gone).all())


def find_import_under_way(session: Session) -> int | None:
    """An import of people, or a list, that a worker reads or applies at this moment, whose rows nobody can know yet."""
    under_way = select(Import.id).where(Import.kind != "units", Import.state.in_(UNDER_WAY_STATES))
    return session.scalar(under_way.order_by(Import.id).limit(1))


def drop_drafts_about(session: Session, person_id: int, words: Collection[str], phones: Collection[str]) -> int:
    """Delete the kept files and rows of imports of which a row is about this person, whether it was applied or not;
    returns of how many imports. One that was not applied is over: the file has to be uploaded again.
    """
    rows = select(ImportRow.import_id).where(_row_names(words, phones))
    outcomes = select(ImportOutcome.import_id).where(
        or_(ImportOutcome.person_id == person_id, ImportOutcome.candidates.contains([person_id]))
    )
    answers = select(ImportAnswer.import_id).where(ImportAnswer.person_id == person_id)
    ids = sorted(set(session.scalars(union(rows, outcomes, answers))))
    for table in DRAFT_TABLES:
        session.execute(delete(table).where(table.import_id.in_(ids)))
    session.execute(delete(ImportVanished).where(ImportVanished.person_id == person_id))
    for record in session.scalars(select(Import).where(Import.id.in_(ids)).order_by(Import.id).with_for_update()):
        if record.state != ImportState.applied:
            session.execute(delete(ImportProblem).where(ImportProblem.import_id == record.id))
        end_draft(record)
    session.flush()
    return len(ids)


def _row_names(words: Collection[str], phones: Collection[str]) -> ColumnElement[bool]:
    spelt = {*words, *(json.dumps(word, ensure_ascii=False)[1:-1] for word in words)}  # as `stage_row` writes cells
    conditions: list[Any] = [ImportRow.name.in_(words), ImportRow.number.in_(words), ImportRow.phone.in_(phones)]
    conditions += [ImportRow.cells.contains(word, autoescape=True) for word in sorted(spelt) if len(word) > 1]
    conditions += _has_phone(ImportRow.cells.expression, phones)
    return or_(false(), *conditions)


def _has_phone(text: ColumnElement[Any], phones: Collection[str]) -> list[ColumnElement[bool]]:
    """Whether a text has one of these phones, with whatever stands between its digits."""
    narrow = func.translate(text, _WIDE, _NARROW)
    digits = func.regexp_replace(narrow, r"[^0-9]", "", "g", type_=Text)
    return [digits.contains(re.sub(r"^86", "", phone.removeprefix("+")), autoescape=True) for phone in sorted(phones)]


def _about(words: Collection[str], phones: Collection[str]) -> ColumnElement[bool]:
    conditions: list[Any] = [ImportProblem.value.in_(words)]
    # A sentence quotes what it is about; a short name would be found in any sentence.
    quoted = (ImportProblem.reason, cast(ImportProblem.values, Text))
    conditions += [text.contains(word, autoescape=True) for text in quoted for word in sorted(words) if len(word) > 1]
    for text in (ImportProblem.value, *quoted):
        conditions += _has_phone(text.expression, phones)
    return or_(false(), *conditions)
