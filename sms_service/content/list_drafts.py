"""Replacing a reference list by a file: read, shown, then applied as a whole or not at all.

The file's rows wait as a draft; another file for the list takes its place. One with a row that cannot be used shows
why and is never applied, since what it lacks would count as gone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from sms_service.accounts.actors import Actor
from sms_service.audit import trail
from sms_service.content.list_files import ReadList, RefusedRow, read_list_file
from sms_service.content.list_models import ReferenceDraft, ReferenceList, ReferenceRow
from sms_service.content.lists import ListColumn, columns_of, find_rows, get_reference_list, mark_changed, own_list
from sms_service.db.statements import Statement
from sms_service.errors import Conflict, NotFound
from sms_service.said import from_json, to_json

REPLACE_ROWS = Statement(__file__, "replace_rows")
DRAFT_DAYS = 7  # for which a file waits to be applied
KEPT_ARCHIVED = 20_000  # archived rows of a list; those that were archived first are deleted


@dataclass(frozen=True, slots=True)
class ListPlan:
    """What a draft would make of its list as it stands at `version`: names of rows that are `added`, that are `gone`,
    and that are `changed`, with old and new value by column; and how many stay the `same`. Empty values are empty
    texts. `refused`: rows that keep the file from being applied.
    """

    draft_id: int
    version: int
    file_name: str
    columns: tuple[ListColumn, ...]
    columns_added: tuple[ListColumn, ...]
    columns_gone: tuple[ListColumn, ...]
    added: tuple[str, ...]
    gone: tuple[str, ...]
    changed: Mapping[str, Mapping[str, tuple[str, str]]]
    same: int
    refused: tuple[RefusedRow, ...]

    @property
    def is_empty(self) -> bool:
        """Whether applying it would change no row and no column."""
        return not (self.added or self.gone or self.changed or self.columns_added or self.columns_gone)


def upload_list_file(session: Session, actor: Actor, list_id: int, data: bytes, file_name: str) -> ListPlan:
    """Read a file for a list and keep it as the list's draft; returns what it would change.

    Raises NotFound, Forbidden without `manage_templates` over the list's unit, or Invalid (`file`).
    """
    found, _ = get_reference_list(session, actor, list_id)
    read = read_list_file(data, columns_of(found))
    found, _ = own_list(session, actor, list_id)
    session.execute(delete(ReferenceDraft).where(ReferenceDraft.list_id == list_id))
    draft = ReferenceDraft(
        list_id=list_id,
        file_name=file_name[:200],
        columns=[list(one) for one in read.columns],
        rows=[] if read.refused else [[name, cells] for name, cells in read.rows.items()],
        refused=[[one.row, to_json(one.reason)] for one in read.refused],
        created_by=actor.account_id,
    )
    session.add(draft)
    session.flush()
    return _plan(session, found, draft, read)


def plan_list_draft(session: Session, actor: Actor, list_id: int) -> ListPlan:
    """What the list's draft would change now. Raises NotFound (list; a draft) or Forbidden."""
    found, _ = own_list(session, actor, list_id)
    draft = session.scalar(select(ReferenceDraft).where(ReferenceDraft.list_id == list_id))
    if draft is None:
        raise NotFound("file that waits for list", list_id)
    read = ReadList(
        [ListColumn(*one) for one in draft.columns],
        dict(draft.rows),
        [RefusedRow(row, from_json(**reason)) for row, reason in draft.refused],
    )
    return _plan(session, found, draft, read)


def apply_list_draft(session: Session, actor: Actor, list_id: int, draft_id: int, version: int) -> ReferenceList:
    """Make the list's rows and columns those of the draft. `version`: of the list as the plan showed it.

    Raises NotFound, Forbidden, or Conflict where the draft has refused rows, is another one by now, or the list has
    changed since the plan was made.
    """
    found, path = own_list(session, actor, list_id)
    draft = session.scalar(select(ReferenceDraft).where(ReferenceDraft.list_id == list_id))
    if draft is None or draft.id != draft_id or found.version != version:
        raise Conflict("the list or its file has changed since you looked; look at it again")
    if draft.refused:
        raise Conflict("the file has rows that cannot be used; mend them and upload it again")
    number = len(draft.rows)
    REPLACE_ROWS(session.connection(), draft_id=draft_id, list_id=list_id)
    found.columns = draft.columns
    session.delete(draft)
    old = find_rows(list_id, archived=True).with_only_columns(ReferenceRow.id)
    oldest = old.order_by(ReferenceRow.archived_at.desc(), ReferenceRow.id.desc()).offset(KEPT_ARCHIVED)
    session.execute(
        delete(ReferenceRow).where(ReferenceRow.id.in_(oldest)), execution_options={"synchronize_session": False}
    )
    mark_changed(session, found)
    session.expire_all()
    details = {"list": found.label, "rows": number}
    trail.record_act(session, actor.account_id, "reference.replace", "unit", found.unit_id, path, **details)
    return found


def discard_list_draft(session: Session, actor: Actor, list_id: int) -> None:
    """Forget the file that waits, if one does. Raises NotFound or Forbidden."""
    own_list(session, actor, list_id)
    session.execute(delete(ReferenceDraft).where(ReferenceDraft.list_id == list_id))


def forget_list_drafts(session: Session) -> int:
    """Delete the files that have waited a week; returns how many."""
    old = ReferenceDraft.created_at < func.sms_now() - timedelta(days=DRAFT_DAYS)
    return len(session.scalars(delete(ReferenceDraft).where(old).returning(ReferenceDraft.id)).all())


def _plan(session: Session, found: ReferenceList, draft: ReferenceDraft, read: ReadList) -> ListPlan:
    rows = session.execute(
        find_rows(found.id)
        .with_only_columns(ReferenceRow.name, ReferenceRow.values)
        .order_by(ReferenceRow.place, ReferenceRow.id)
    )
    now = {row.name: row.values for row in rows}
    known, given = columns_of(found), read.columns
    shared = [name for name in read.rows if name in now]
    changed = {name: difference for name in shared if (difference := _compare(now[name], read.rows[name]))}
    names, old_names = {one.name for one in given}, {one.name for one in known}
    usable = not read.refused
    return ListPlan(
        draft_id=draft.id,
        version=found.version,
        file_name=draft.file_name,
        columns=tuple(given),
        columns_added=tuple(one for one in given if one.name not in old_names),
        columns_gone=tuple(one for one in known if one.name not in names),
        added=tuple(name for name in read.rows if name not in now) if usable else (),
        gone=tuple(name for name in now if name not in read.rows) if usable else (),
        changed=changed if usable else {},
        same=len(shared) - len(changed) if usable else 0,
        refused=tuple(read.refused),
    )


def _compare(old: Mapping[str, str], new: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    return {
        name: (old.get(name, ""), new.get(name, ""))
        for name in {**old, **new}
        if old.get(name, "") != new.get(name, "")
    }
