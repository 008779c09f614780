"""The library of templates: who may change them, who may use them, and their versions.

A template belongs to a unit. Changing it needs scope over that unit; everybody who holds a role on the unit, below it
or above it, may read and use it. A version never changes: a new wording is a new version.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

from sqlalchemy import Select, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session, aliased

from sms_service.accounts.actors import Actor, unit_path
from sms_service.accounts.permissions import Permission
from sms_service.audit import trail
from sms_service.content import classes, language
from sms_service.content.fields import TemplateField, check_fields, describe_fields, fields_of, write_field
from sms_service.content.grammar import narrow_braces
from sms_service.content.models import Template, TemplateCategory, TemplateVersion
from sms_service.directory.models import Unit
from sms_service.directory.units import usable_from
from sms_service.errors import Conflict, Invalid, NotFound
from sms_service.said import say

LONGEST_NAME = 100


def create_template(
    session: Session,
    actor: Actor,
    unit_id: int,
    name: str,
    class_: str,
    body: str,
    fields: Sequence[TemplateField] = (),
    category_id: int | None = None,
    cloned_from: int | None = None,
) -> tuple[Template, TemplateVersion]:
    """A new template of a unit, with `body` as its version 1; `fields` say how a form asks for its variables.
    `cloned_from`: the template of which it is a copy.

    `name` has 1 to 100 characters and is unique in the unit; `class_` is a `TextClass`; `body` is written in
    the language of `content.language`. Raises NotFound (unit), Forbidden (no scope over it), Invalid (name, class,
    body or fields), Conflict (the name is taken).
    """
    path = unit_path(session, unit_id)
    actor.require(Permission.manage_templates, path)
    name = _check_name(name)
    classes.class_rules(class_)
    _check_category(session, category_id, path)
    body = narrow_braces(body)
    compiled = language.compile_template(body)
    check_fields(compiled, body, fields)
    # If two people save the same name at once, the second gets the Conflict here, and the transaction stays usable.
    template = session.scalar(
        insert(Template)
        .values({Template.unit_id: unit_id, Template.name: name, Template.class_: class_})
        .values({Template.created_by: actor.account_id})
        .values({Template.category_id: category_id, Template.cloned_from: cloned_from})
        .on_conflict_do_nothing(index_elements=[Template.unit_id, Template.name])
        .returning(Template)
    )
    if template is None:
        raise Conflict("the unit already has a template of this name; choose another name or add a version to that one")
    version = _add(session, actor, template, 1, body, describe_fields(compiled, body, fields))
    trail.record_act(
        session, actor.account_id, "template.create", "template", template.id, path, version=1, **{"class": class_}
    )
    return template, version


def add_version(
    session: Session, actor: Actor, template_id: int, body: str, fields: Sequence[TemplateField] | None = None
) -> TemplateVersion:
    """Add the next version of a template. If the newest version has the same body and fields, return that one instead.

    `fields`: None keeps the newest version's for the variables that are still there. Raises NotFound (template),
    Forbidden (no scope over its unit), Invalid (body or fields).
    """
    # Locked, so that two people who save at once get different numbers.
    template = session.scalar(select(Template).where(Template.id == template_id).with_for_update())
    if template is None:
        raise NotFound("template", template_id)
    path = unit_path(session, template.unit_id)
    actor.require(Permission.manage_templates, path)
    body = narrow_braces(body)
    compiled = language.compile_template(body)
    newest = _newest(session, template.id)
    if fields is not None:
        check_fields(compiled, body, fields)
    described = describe_fields(compiled, body, fields_of(newest) if fields is None else fields)
    if newest.body == body and fields_of(newest) == described:
        return newest
    version = _add(session, actor, template, newest.number + 1, body, described)
    trail.record_act(
        session, actor.account_id, "template.revise", "template", template.id, path, version=version.number
    )
    return version


def clone_template(
    session: Session, actor: Actor, template_id: int, unit_id: int, name: str
) -> tuple[Template, TemplateVersion]:
    """A copy of a template's newest version, fields and category as a new template of a unit, to be changed there.

    Raises NotFound, Forbidden (to read the one or to write for the other), Invalid (name) or Conflict (it is taken).
    """
    template, newest = get_numbered_version(session, actor, template_id, None)
    path = unit_path(session, unit_id)
    category = template.category_id if _reaches(session, template.category_id, path) else None
    fields = fields_of(newest)
    return create_template(
        session, actor, unit_id, name, template.class_, newest.body, fields, category, cloned_from=template.id
    )


def change_template(
    session: Session,
    actor: Actor,
    template_id: int,
    *,
    archived: bool | None = None,
    category_id: int | None = None,
    without_category: bool = False,
) -> Template:
    """Archive a template or bring it back, or give it another category. No new campaign may use an archived one, and
    lists leave it out; what has used it stays as it is. Raises NotFound, Forbidden (no scope over its unit), Invalid.
    """
    template = session.get(Template, template_id)
    if template is None:
        raise NotFound("template", template_id)
    path = unit_path(session, template.unit_id)
    actor.require(Permission.manage_templates, path)
    if archived is not None and archived != (template.archived_at is not None):
        template.archived_at = session.scalars(select(func.sms_now())).one() if archived else None
        if archived:
            trail.record_act(session, actor.account_id, "template.archive", "template", template.id, path)
        else:
            trail.record_act(session, actor.account_id, "template.restore", "template", template.id, path)
    wanted = None if without_category else category_id
    if (without_category or category_id is not None) and wanted != template.category_id:
        _check_category(session, wanted, path)
        changes = {"category_id": [template.category_id, wanted]}
        template.category_id = wanted
        trail.record_act(session, actor.account_id, "template.sort", "template", template.id, path, changes=changes)
    session.flush()
    return template


def _check_category(session: Session, category_id: int | None, path: str) -> None:
    if category_id is not None and not _reaches(session, category_id, path):
        raise Invalid("category_id", category_id, "is no category that this unit can use")


def _reaches(session: Session, category_id: int | None, path: str) -> bool:
    """Whether the unit at `path` can use the category: it is its own or of a unit above it."""
    if category_id is None:
        return False
    held = select(Unit.path).join(TemplateCategory, TemplateCategory.unit_id == Unit.id)
    owner = session.scalar(held.where(TemplateCategory.id == category_id))
    return owner is not None and path.startswith(owner)


def get_template(session: Session, actor: Actor, template_id: int) -> Template:
    """A template that the actor may read and use. Raises NotFound or Forbidden."""
    template = session.get(Template, template_id)
    if template is None:
        raise NotFound("template", template_id)
    _require_use(session, actor, template)
    return template


def get_version(session: Session, actor: Actor, version_id: int) -> tuple[Template, TemplateVersion]:
    """A version, by its id, of a template that the actor may read and use. Raises NotFound or Forbidden."""
    version = session.get(TemplateVersion, version_id)
    if version is None:
        raise NotFound("template version", version_id)
    return get_template(session, actor, version.template_id), version


def get_numbered_version(
    session: Session, actor: Actor, template_id: int, number: int | None
) -> tuple[Template, TemplateVersion]:
    """A template that the actor may read and use, and its version `number` (None: the newest).

    Raises NotFound or Forbidden.
    """
    template = get_template(session, actor, template_id)
    if number is None:
        return template, _newest(session, template.id)
    version = session.scalar(
        select(TemplateVersion).where(TemplateVersion.template_id == template_id, TemplateVersion.number == number)
    )
    if version is None:
        raise NotFound("version of template {template} with the number", number, template=template_id)
    return template, version


def find_templates(
    scope: tuple[str, ...], *, class_: str | None = None, category_id: int | None = None, archived: bool = False
) -> Select[Template, TemplateVersion]:
    """The templates that may be used on the unit paths of `scope`, each with its newest version; not ordered.
    `archived`: those that no new campaign may use instead.

    These are the templates of the units within the subtrees and of the units above them.
    """
    newest = aliased(TemplateVersion)
    latest = (
        select(newest.id).where(newest.template_id == Template.id).order_by(newest.number.desc()).limit(1)
    ).scalar_subquery()
    statement = (
        select(Template, TemplateVersion)
        .join(TemplateVersion, TemplateVersion.id == latest)
        .join(Unit, Unit.id == Template.unit_id)
        .where(usable_from(scope))
    )
    statement = statement.where(Template.archived_at.is_not(None) if archived else Template.archived_at.is_(None))
    if category_id is not None:
        statement = statement.where(Template.category_id == category_id)
    return statement if class_ is None else statement.where(Template.class_ == class_)


def find_versions(template_id: int) -> Select[TemplateVersion]:
    """All versions of a template; not ordered. The caller has asked `get_template` for it."""
    return select(TemplateVersion).where(TemplateVersion.template_id == template_id)


def _require_use(session: Session, actor: Actor, template: Template) -> None:
    actor.require_use(unit_path(session, template.unit_id), say("template {template}", template=template.id))


def _newest(session: Session, template_id: int) -> TemplateVersion:
    return session.scalars(
        select(TemplateVersion)
        .where(TemplateVersion.template_id == template_id)
        .order_by(TemplateVersion.number.desc())
        .limit(1)
    ).one()


def _add(
    session: Session, actor: Actor, template: Template, number: int, body: str, fields: Sequence[TemplateField]
) -> TemplateVersion:
    version = TemplateVersion(
        template_id=template.id,
        number=number,
        body=body,
        variables=language.check_template(body),
        fields=[write_field(field) for field in fields],
        created_by=actor.account_id,
    )
    session.add(version)
    session.flush()
    session.refresh(version)
    return version


def _check_name(name: str) -> str:
    name = name.strip()
    if not 1 <= len(name) <= LONGEST_NAME or any(unicodedata.category(c)[0] == "C" for c in name):
        raise Invalid("name", name, say("must be one line of 1 to {most} characters", most=LONGEST_NAME))
    return name
