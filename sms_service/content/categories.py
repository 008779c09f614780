"""Categories of templates: data of units, usable throughout their subtrees. New installations have the 17 of study."""

from __future__ import annotations

from sqlalchemy import Select, exists, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from sms_service.accounts.actors import Actor, unit_path
from sms_service.accounts.permissions import Permission
from sms_service.audit import trail
from sms_service.content.models import Template, TemplateCategory
from sms_service.directory.models import Unit
from sms_service.directory.text import required_line
from sms_service.directory.units import usable_from
from sms_service.errors import Conflict, NotFound

LONGEST_NAME = 50  # characters


def add_category(session: Session, actor: Actor, unit_id: int, name: str) -> TemplateCategory:
    """A new category of a unit. Raises NotFound, Forbidden without `manage_templates` over the unit, Invalid (name), or
    Conflict if the unit has one of this name.
    """
    path = unit_path(session, unit_id)
    actor.require(Permission.manage_templates, path)
    name = required_line("name", name, LONGEST_NAME)
    made: TemplateCategory | None = session.scalar(
        insert(TemplateCategory)
        .values(unit_id=unit_id, name=name, created_by=actor.account_id)
        .on_conflict_do_nothing()
        .returning(TemplateCategory)
    )
    if made is None:
        raise Conflict("the unit already has a category of this name")
    trail.record_act(session, actor.account_id, "category.add", "unit", unit_id, path, category=name)
    return made


def remove_category(session: Session, actor: Actor, category_id: int) -> None:
    """Take a category away. Raises NotFound, Forbidden, or Conflict while templates belong to it."""
    found = session.get(TemplateCategory, category_id)
    if found is None:
        raise NotFound("category", category_id)
    path = unit_path(session, found.unit_id)
    actor.require(Permission.manage_templates, path)
    if session.scalar(select(exists().where(Template.category_id == category_id))):
        raise Conflict("templates belong to this category; give them another one first")
    session.delete(found)
    session.flush()
    trail.record_act(session, actor.account_id, "category.remove", "unit", found.unit_id, path, category=found.name)


def find_categories(scope: tuple[str, ...]) -> Select[TemplateCategory, Unit]:
    """The categories that can be used on the unit paths of `scope`: of units within and above; not ordered."""
    statement = select(TemplateCategory, Unit).join(Unit, Unit.id == TemplateCategory.unit_id)
    return statement.where(usable_from(scope))
