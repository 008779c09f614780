"""The templates that come with the service: files in `templates/`, kept up to date as templates of a unit.

A file begins with two lines between lines of three hyphens, then comes the body:

    ---
    name: 学习内容
    class: study
    ---
    {{ name }}同志：……
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from sms_service.accounts.actors import SYSTEM
from sms_service.content import classes, language, library
from sms_service.content.models import Template, TemplateVersion
from sms_service.directory.models import Unit
from sms_service.errors import Invalid, ServiceError
from sms_service.said import say

FOLDER = Path(__file__).resolve().parents[2] / "templates"
_FILE = re.compile(r"---\nname: (?P<name>[^\n]+)\nclass: (?P<class>[^\n]+)\n---\n(?P<body>.+)", re.DOTALL)


class BadTemplateFile(ServiceError):
    """A file of shipped templates cannot be used; the message names the file and says what would be right."""


@dataclass(frozen=True, slots=True)
class ShippedTemplate:
    """One file: the template's name, class and body."""

    name: str
    class_: str
    body: str


def read_shipped(folder: Path = FOLDER) -> list[ShippedTemplate]:
    """The templates in the files `*.txt.j2` of a folder, by file name. Raises BadTemplateFile."""
    return [_read(path) for path in sorted(folder.glob("*.txt.j2"))]


def install_shipped(session: Session, unit: Unit, folder: Path = FOLDER) -> list[TemplateVersion]:
    """Give `unit` every shipped template, by name, and return the versions that were added.

    If any version of the template has the file's body, nothing changes, so a wording that people have since replaced
    stays replaced. A changed file becomes a new version. Raises BadTemplateFile before anything is done, and Conflict
    as `library.create_template` does.
    """
    added = []
    for file in read_shipped(folder):
        template = session.scalar(select(Template).where(Template.unit_id == unit.id, Template.name == file.name))
        if template is None:
            added.append(library.create_template(session, SYSTEM, unit.id, file.name, file.class_, file.body)[1])
        elif file.body not in session.scalars(
            select(TemplateVersion.body).where(TemplateVersion.template_id == template.id)
        ):
            added.append(library.add_version(session, SYSTEM, template.id, file.body))
    return added


def _read(path: Path) -> ShippedTemplate:
    match = _FILE.fullmatch(path.read_text(encoding="utf-8"))
    if match is None:
        raise BadTemplateFile(
            say("{file}: must begin with the lines ---, name: …, class: …, --- and go on with a text", file=path.name)
        )
    file = ShippedTemplate(match["name"].strip(), match["class"].strip(), match["body"].strip())
    try:
        classes.class_rules(file.class_)
        language.check_template(file.body)
    except Invalid as error:
        raise BadTemplateFile(say("{file}: {error}", file=path.name, error=error.said)) from None
    return file
