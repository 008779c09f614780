"""Questions from a file into the bank of a unit: read, shown for what they would change, then applied at once.

The file waits as a draft; another file for the unit takes its place. Rows that cannot be used stop no other row; they
can be downloaded with the reason, mended, and uploaded alone. What is in the bank and not in the file stays.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from pathlib import PurePath
from typing import NamedTuple

from sqlalchemy import Select, delete, func, insert, select, update
from sqlalchemy.orm import Session

from sms_service.accounts.actors import Actor, unit_path
from sms_service.accounts.permissions import Permission
from sms_service.audit import trail
from sms_service.content.list_drafts import DRAFT_DAYS
from sms_service.content.list_files import FORMATS, WrittenList
from sms_service.content.quiz_bank import LONGEST_CATEGORY, as_written, digest_question, lead_to, write_columns
from sms_service.content.quiz_choices import WrittenQuestion, write_question
from sms_service.content.quiz_files import QuizRow, ReadQuestions, RefusedQuestion, read_quiz_file, read_quiz_text
from sms_service.content.quiz_models import QuizCategory, QuizDraft, QuizQuestion
from sms_service.directory.meanings import REASON_HEADER
from sms_service.directory.refused_file import write_csv_file, write_workbook_file
from sms_service.directory.text import required_line
from sms_service.errors import Conflict, Invalid, NotFound
from sms_service.parts import measure_text
from sms_service.said import Said, from_json, say, to_json

LONG_PARTS = 3  # a question with its options that takes more is named in the plan
_Key = tuple[str, str]  # a category's name, and the digest of a question


class ReplacedQuestion(NamedTuple):
    """A row whose question is in the bank with other options, another answer or another explanation."""

    row: QuizRow
    question_id: int
    standing: WrittenQuestion


class LongQuestion(NamedTuple):
    """A row whose question takes many parts, with the name, signature and lines of a text not yet counted."""

    row: QuizRow
    parts: int


@dataclass(frozen=True)  # no slots: `version` is kept
class QuizPlan:
    """What a draft would make of the bank of its unit as that is now. `unchanged`: how many questions it has already;
    `new_categories`: those that it would add; `refused`: rows that stay out.
    """

    draft_id: int
    unit_id: int
    file_name: str
    passed_over: tuple[str, ...]
    new_categories: tuple[str, ...]
    created: tuple[QuizRow, ...]
    replaced: tuple[ReplacedQuestion, ...]
    unchanged: int
    long: tuple[LongQuestion, ...]
    refused: tuple[RefusedQuestion, ...]

    @cached_property
    def version(self) -> str:
        """What the plan changes, as a digest: another plan has another one."""
        told = [[row.row for row in self.created], [[one.row.row, one.question_id] for one in self.replaced]]
        return hashlib.sha256(json.dumps([self.draft_id, *told]).encode()).hexdigest()[:16]


def upload_quiz_file(
    session: Session, actor: Actor, unit_id: int, data: bytes, file_name: str, category: str | None = None
) -> QuizPlan:
    """Read a file for the bank of a unit and keep it as the unit's draft; returns what it would change. `category`: of
    rows that name none.

    Raises NotFound, Forbidden without `manage_templates` over the unit, or Invalid (`file`, `category`).
    """
    category = _check_unit(session, actor, unit_id, category)
    return _keep_draft(session, actor, unit_id, file_name, read_quiz_file(data, file_name, category))


def upload_quiz_text(
    session: Session, actor: Actor, unit_id: int, written: str, category: str | None = None
) -> QuizPlan:
    """The same of rows as somebody pastes them from a spreadsheet. Raises Invalid (`text`) where that does (`file`)."""
    category = _check_unit(session, actor, unit_id, category)
    return _keep_draft(session, actor, unit_id, "", read_quiz_text(written, category))


def plan_quiz_draft(session: Session, actor: Actor, draft_id: int) -> QuizPlan:
    """What a draft would change now. Raises NotFound (also where another file has taken its place) or Forbidden."""
    return _plan(session, _own_draft(session, actor, draft_id)[0])


def apply_quiz_draft(session: Session, actor: Actor, draft_id: int, version: str) -> QuizPlan:
    """Put the questions of a draft into the bank, all that can be used, and return what was done. The draft stays, for
    its refused rows. `version`: of the plan as it was shown.

    Raises NotFound, Forbidden, or Conflict where the bank has changed since the plan was made.
    """
    draft, path = _own_draft(session, actor, draft_id)
    session.execute(select(QuizCategory.id).where(QuizCategory.unit_id == draft.unit_id).with_for_update())
    plan = _plan(session, draft)
    if plan.version != version:
        raise Conflict("the bank has changed since you looked; look at the file again")
    by = {"created_by": actor.account_id}
    if plan.new_categories:
        made = [{"unit_id": draft.unit_id, "name": name, **by} for name in plan.new_categories]
        session.execute(insert(QuizCategory), made)
    ids: dict[str, int] = dict(session.execute(_of_unit(draft.unit_id)).all())
    old = [one.question_id for one in plan.replaced]
    session.execute(update(QuizQuestion).where(QuizQuestion.id.in_(old)).values(ended_at=func.sms_now()))
    rows = [*(one.row for one in plan.replaced), *plan.created]
    values = [{**write_columns(one.written), "category_id": ids[one.category], **by} for one in rows]
    if values:
        statement = insert(QuizQuestion).returning(QuizQuestion.id, sort_by_parameter_order=True)
        new = session.scalars(statement, values).all()
        lead_to(session, dict(zip(old, new, strict=False)))
    session.expire_all()
    details = {"created": len(plan.created), "replaced": len(plan.replaced), "refused": len(plan.refused)}
    trail.record_act(session, actor.account_id, "quiz.import", "unit", plan.unit_id, path, **details)
    return plan


def discard_quiz_draft(session: Session, actor: Actor, draft_id: int) -> None:
    """Forget a file. Raises NotFound or Forbidden."""
    session.delete(_own_draft(session, actor, draft_id)[0])
    session.flush()


def write_refused_questions(
    session: Session, actor: Actor, draft_id: int, format_: str, translate: Callable[[Said], str] = str
) -> WrittenList:
    """The rows of a draft that cannot be used, as csv or xlsx with the file's own columns and one that says why; it can
    be mended and uploaded. `translate` puts reasons into a language.

    Raises NotFound, Forbidden, Invalid (`format`), or Conflict if no row was refused.
    """
    if format_ not in FORMATS:
        raise Invalid("format", format_, say("must be one of {formats}", formats=FORMATS))
    plan = plan_quiz_draft(session, actor, draft_id)
    if not plan.refused:
        raise Conflict("no row of this file was refused")
    draft = session.get_one(QuizDraft, draft_id)
    width = max(len(draft.headers), *(len(one.cells) for one in plan.refused))
    headers = [*draft.headers, *[""] * (width - len(draft.headers)), REASON_HEADER]
    rows = ([*one.cells, *[None] * (width - len(one.cells)), translate(one.reason)] for one in plan.refused)
    name = f"{PurePath(draft.file_name).stem or 'quiz'}-refused.{format_}"
    if format_ == "csv":
        return WrittenList(name, "text/csv", write_csv_file(headers, rows, "utf-8-sig", ","))
    media_type = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
    return WrittenList(name, media_type, write_workbook_file(headers, rows))


def forget_quiz_drafts(session: Session) -> int:
    """Delete the files of questions that have waited a week; returns how many."""
    old = QuizDraft.created_at < func.sms_now() - timedelta(days=DRAFT_DAYS)
    return len(session.scalars(delete(QuizDraft).where(old).returning(QuizDraft.id)).all())


def _check_unit(session: Session, actor: Actor, unit_id: int, category: str | None) -> str | None:
    actor.require(Permission.manage_templates, unit_path(session, unit_id))
    return required_line("category", category, LONGEST_CATEGORY) if category else None


def _own_draft(session: Session, actor: Actor, draft_id: int) -> tuple[QuizDraft, str]:
    draft = session.scalar(select(QuizDraft).where(QuizDraft.id == draft_id).with_for_update())
    if draft is None:
        raise NotFound("file of questions that waits", draft_id)
    path = unit_path(session, draft.unit_id)
    actor.require(Permission.manage_templates, path)
    return draft, path


def _keep_draft(session: Session, actor: Actor, unit_id: int, file_name: str, read: ReadQuestions) -> QuizPlan:
    session.execute(delete(QuizDraft).where(QuizDraft.unit_id == unit_id))
    draft = QuizDraft(
        unit_id=unit_id,
        file_name=file_name[:200],
        headers=list(read.headers),
        passed_over=list(read.passed_over),
        rows=[[one.row, one.category, list(one.written)] for one in read.rows],
        refused=[[one.row, one.cells, to_json(one.reason)] for one in read.refused],
        created_by=actor.account_id,
    )
    session.add(draft)
    session.flush()
    return _plan(session, draft)


def _plan(session: Session, draft: QuizDraft) -> QuizPlan:
    standing = _list_standing(session, draft.unit_id)
    known = {name for name, _ in session.execute(_of_unit(draft.unit_id))}
    created, replaced, unchanged, long = [], list[ReplacedQuestion](), 0, list[LongQuestion]()
    for number, category, (text, options, right, explanation) in draft.rows:
        row = QuizRow(number, category, WrittenQuestion(text, tuple(options), right, explanation))
        found = standing.get((category, digest_question(text)))
        if found is not None and as_written(found) == row.written:
            unchanged += 1
            continue
        if found is None:
            created.append(row)
        else:
            replaced.append(ReplacedQuestion(row, found.id, as_written(found)))
        if (parts := measure_text(write_question(text, options)).parts) > LONG_PARTS:
            long.append(LongQuestion(row, parts))
    return QuizPlan(
        draft_id=draft.id,
        unit_id=draft.unit_id,
        file_name=draft.file_name,
        passed_over=tuple(draft.passed_over),
        new_categories=tuple(dict.fromkeys(row.category for row in created if row.category not in known)),
        created=tuple(created),
        replaced=tuple(replaced),
        unchanged=unchanged,
        long=tuple(long),
        refused=tuple(RefusedQuestion(row, cells, from_json(**reason)) for row, cells, reason in draft.refused),
    )


def _list_standing(session: Session, unit_id: int) -> Mapping[_Key, QuizQuestion]:
    statement = (
        select(QuizCategory.name, QuizQuestion)
        .join(QuizQuestion, QuizQuestion.category_id == QuizCategory.id)
        .where(QuizCategory.unit_id == unit_id, QuizQuestion.ended_at.is_(None))
    )
    return {(name, question.digest): question for name, question in session.execute(statement)}


def _of_unit(unit_id: int) -> Select[str, int]:
    return select(QuizCategory.name, QuizCategory.id).where(QuizCategory.unit_id == unit_id)
