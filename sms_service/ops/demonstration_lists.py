"""Reference lists of the demonstration: the city's venues, teachers, tasks and problems, and a template that draws on
them.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from sqlalchemy.orm import Session

from sms_service.accounts.actors import SYSTEM
from sms_service.content.fields import FieldKind, TemplateField
from sms_service.content.library import create_template
from sms_service.content.list_drafts import apply_list_draft, upload_list_file
from sms_service.content.lists import add_reference_list
from sms_service.vocabulary import TextClass

LISTS: Mapping[str, str] = {"venue": "场地", "teacher": "教师", "task": "任务", "problem": "问题"}
LECTURE = (
    "{{ name }}同志：{{ unit }}定于{{ 时间 | 日期时间 }}在{{ venue.name }}（{{ venue.address }}）上专题党课，"
    "由{{ teacher.title }}{{ teacher.name }}主讲{{ teacher.topic }}，场地电话{{ venue.phone | default('见通知') }}。"
)
_FOLDER = Path(__file__).with_name("demonstration_data") / "lists"


def load_demonstration_lists(session: Session, unit_id: int) -> int:
    """Give the unit the four lists, and a template that names two of them; how many rows they have."""
    rows = 0
    for name, label in LISTS.items():
        made = add_reference_list(session, SYSTEM, unit_id, name, label)
        file = _FOLDER / f"{name}.csv"
        plan = upload_list_file(session, SYSTEM, made.id, file.read_bytes(), file.name)
        apply_list_draft(session, SYSTEM, made.id, plan.draft_id, plan.version)
        rows += len(plan.added)
    when = TemplateField("时间", "时间", example="12月1日上午9点", kind=FieldKind.moment)
    create_template(session, SYSTEM, unit_id, "专题党课邀请", TextClass.invitation, LECTURE, [when])
    return rows
