"""A text where no particular person is meant: what differs from person to person is named, 〔姓名〕."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy.orm import Session

from sms_service.accounts.actors import unit_path
from sms_service.audience.listed import ROW
from sms_service.audience.reach import is_dotted
from sms_service.content.comparing import Unfilled
from sms_service.content.language import CompiledTemplate
from sms_service.content.lists import label_columns
from sms_service.content.models import Template, TemplateVersion
from sms_service.content.values import QUESTION, RECIPIENT_FIELDS
from sms_service.said import say, translate

Catalogue = Mapping[str, str]


def fill_places(
    session: Session,
    template: CompiledTemplate,
    catalogue: Catalogue,
    values: Mapping[str, Any],
    own: Mapping[str, Any] | None = None,
    path: str = "",
) -> dict[str, Any]:
    """What to render the template with: these values, what is a person's `own`, and for a variable that neither fills
    its name in the language of `catalogue`. `path`: of a unit whose reference lists name their columns.
    """
    known = {**{name: name_place(name, {}, catalogue) for name in RECIPIENT_FIELDS}, **(own or {}), **values}
    lacking = [name for name in template.required if name not in known]
    labels = label_columns(session, path, lacking) if path else {}
    return {**{name: name_place(name, labels, catalogue) for name in lacking}, **known}


def find_naming_path(session: Session, version_id: int, template: CompiledTemplate, values: Mapping[str, Any]) -> str:
    """The path of the unit whose reference lists name the columns that the values do not fill; empty if there are
    none.
    """
    if not any(is_dotted(name) and name not in values for name in template.required):
        return ""
    version = session.get_one(TemplateVersion, version_id)
    return unit_path(session, session.get_one(Template, version.template_id).unit_id)


def name_place(name: str, labels: Mapping[str, str], catalogue: Catalogue) -> Unfilled:
    """What stands in the place of a variable that nothing fills, 〔时间〕: its label where it has one; what each person
    has of their own has a word, and of a column of a list its own name.
    """
    words = {"name": say("name"), "unit": say("unit"), "number": say("number"), QUESTION: say("question")}
    named = translate(words[name], catalogue) if name in words else name.removeprefix(ROW)
    return Unfilled(f"〔{labels.get(name) or named}〕")
