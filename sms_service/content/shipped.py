"""The templates that come with the service: files in `templates/`, kept up to date as templates of a unit.

A file begins with TOML between two lines of three plus signs, then comes the body. What a form asks for is described
as `TemplateField` has it; a field without a label is labelled by its name.

    +++
    name = "学习内容"
    class = "study"

    [[fields]]
    name = "日期"
    kind = "date"
    example = "12月1日"
    +++
    {{ name }}同志：……
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from sms_service.accounts.actors import SYSTEM
from sms_service.content import classes, language, library
from sms_service.content.fields import TemplateField, check_fields, describe_fields, read_field, write_field
from sms_service.content.models import Template, TemplateCategory, TemplateVersion
from sms_service.directory.models import Unit
from sms_service.errors import Invalid, ServiceError
from sms_service.said import say

FOLDER = Path(__file__).resolve().parents[2] / "templates"
_FILE = re.compile(r"\+\+\+\n(?P<head>.+?)\n\+\+\+\n(?P<body>.+)", re.DOTALL)


class BadTemplateFile(ServiceError):
    """A file of shipped templates cannot be used; the message names the file and says what would be right."""


@dataclass(frozen=True, slots=True)
class ShippedTemplate:
    """One file: the template's name, class and body, and what its forms ask for."""

    name: str
    class_: str
    body: str
    fields: list[TemplateField]


def read_shipped(folder: Path = FOLDER) -> list[ShippedTemplate]:
    """The templates in the files `*.txt.j2` of a folder, by file name. Raises BadTemplateFile."""
    return [read_template_file(path) for path in sorted(folder.glob("*.txt.j2"))]


def install_shipped(session: Session, unit: Unit, folder: Path = FOLDER) -> list[TemplateVersion]:
    """Give `unit` every shipped template, by name, and return the versions that were added.

    If any version of the template has the file's body and fields, nothing changes, so a wording that people have since
    replaced stays replaced. A changed file becomes a new version. Raises BadTemplateFile before anything is done, and
    Conflict as `library.create_template` does.
    """
    added = []
    install_categories(session, unit, folder)
    for file in read_shipped(folder):
        template = session.scalar(select(Template).where(Template.unit_id == unit.id, Template.name == file.name))
        if template is None:
            made = library.create_template(session, SYSTEM, unit.id, file.name, file.class_, file.body, file.fields)
            added.append(made[1])
        elif not _is_there(session, template, file):
            added.append(library.add_version(session, SYSTEM, template.id, file.body, file.fields))
    return added


def install_categories(session: Session, unit: Unit, folder: Path = FOLDER) -> int:
    """Give `unit` the categories of `categories.txt`, one a line, if it has none yet; how many were added."""
    file = folder / "categories.txt"
    has = session.scalar(select(exists().where(TemplateCategory.unit_id == unit.id)))
    names = [] if has or not file.exists() else file.read_text(encoding="utf-8").split()
    session.add_all([TemplateCategory(unit_id=unit.id, name=name) for name in names])
    session.flush()
    return len(names)


def _is_there(session: Session, template: Template, file: ShippedTemplate) -> bool:
    saved = select(TemplateVersion.body, TemplateVersion.fields).where(TemplateVersion.template_id == template.id)
    return (file.body, [write_field(field) for field in file.fields]) in [tuple(row) for row in session.execute(saved)]


def read_template_file(path: Path) -> ShippedTemplate:
    """A template from a file of this form. Raises BadTemplateFile."""
    match = _FILE.fullmatch(path.read_text(encoding="utf-8"))
    if match is None:
        raise BadTemplateFile(
            say("{file}: must begin with TOML between two lines +++ and go on with a text", file=path.name)
        )
    try:
        head = tomllib.loads(match["head"])
        body = match["body"].strip()
        fields = [_read_field(one) for one in head.get("fields", [])]
        classes.class_rules(head["class"])
        compiled = language.compile_template(body)
        check_fields(compiled, body, fields)
        return ShippedTemplate(head["name"], head["class"], body, describe_fields(compiled, body, fields))
    except Invalid as error:
        raise BadTemplateFile(say("{file}: {error}", file=path.name, error=error.said)) from None
    except (KeyError, TypeError, ValueError) as error:  # an error of tomllib is a ValueError
        raise BadTemplateFile(say("{file}: {fault}", file=path.name, fault=str(error))) from None


def _read_field(given: dict[str, Any]) -> TemplateField:
    return read_field({"label": given["name"], **given})
