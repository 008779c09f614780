"""What a template asks its campaigns for: each variable with label, hint, example and kind, in the order of a form."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sms_service.audience.listed import is_of_row
from sms_service.content.comparing import CannotRender, read_decimal, split_items
from sms_service.content.days import read_day, read_day_and_time, read_time_of_day
from sms_service.content.language import CompiledTemplate, get_compiled
from sms_service.content.models import TemplateVersion
from sms_service.content.values import RECIPIENT_FIELDS
from sms_service.errors import Invalid
from sms_service.said import Said, as_said, say
from sms_service.vocabulary import Words

LONGEST_LABEL, LONGEST_HINT = 50, 200  # characters

_COMMENT = re.compile(r"\{#.*?#\}", re.DOTALL)
_LINK = re.compile(r"https?://[^\s/]+\.[^\s]+")
_PHONE = re.compile(r"\+?[0-9][0-9 ()（）-]{1,18}[0-9]|[0-9]{3,6}")


class FieldKind(Words):
    """What a value is; a value of another kind is refused. A text and a place may be anything."""

    text = "text"
    date = "date"
    time = "time"
    moment = "moment"  # a date with a time
    number = "number"
    place = "place"
    phone = "phone"
    link = "link"
    list = "list"


@dataclass(frozen=True, slots=True)
class TemplateField:
    """A variable that a campaign fills, and how a form asks for it."""

    name: str
    label: str
    hint: str = ""
    example: str = ""
    kind: FieldKind = FieldKind.text


_WANTED: Mapping[FieldKind, Said] = {
    FieldKind.date: as_said("must be a date, such as 12月1日 or 2026-12-01"),
    FieldKind.time: as_said("must be a time, such as 上午9点 or 9:00"),
    FieldKind.moment: as_said("must be a date with a time, such as 12月1日上午9点 or 2026-12-01 9:00"),
    FieldKind.number: as_said("must be a number"),
    FieldKind.phone: as_said("must be a phone number"),
    FieldKind.link: as_said("must be a link that begins with http:// or https://"),
    FieldKind.list: as_said("must be a list of at most 50 entries, such as 甲、乙、丙"),
}


def describe_fields(template: CompiledTemplate, body: str, given: Iterable[TemplateField]) -> list[TemplateField]:
    """The fields of a body: those `given` first, in their order, then a plain one for every other variable, in the
    order in which the text has them. Of those given, what the body does not name is left out.
    """
    own = order_variables(template, body)
    described = {field.name: field for field in given if field.name in own}
    return [*described.values(), *(TemplateField(name, name) for name in own if name not in described)]


def order_variables(template: CompiledTemplate, body: str) -> list[str]:
    """The variables that no person has by themselves, in the order in which the text has them."""
    plain = _COMMENT.sub("", body)
    names = (name for name in template.variables if name not in RECIPIENT_FIELDS and not is_of_row(name))
    return sorted(names, key=plain.find)


def check_fields(template: CompiledTemplate, body: str, given: Sequence[TemplateField]) -> None:
    """Refuse fields that a body cannot have. Raises Invalid("fields.<name>", …) naming what is wrong."""
    own, seen = order_variables(template, body), set()
    for field in given:
        at = f"fields.{field.name}"
        if field.name not in own:
            raise Invalid(at, field.name, say("is no variable of the text; these are: {names}", names=own))
        if field.name in seen:
            raise Invalid(at, field.name, "is described twice")
        seen.add(field.name)
        if not 1 <= len(field.label) <= LONGEST_LABEL:
            raise Invalid(at, field.label, say("needs a label of 1 to {most} characters", most=LONGEST_LABEL))
        if max(len(field.hint), len(field.example)) > LONGEST_HINT:
            reason = say("has a hint or an example of more than {most} characters", most=LONGEST_HINT)
            raise Invalid(at, field.name, reason)
        if field.example and (wrong := find_misfit(field.kind, field.example)):
            raise Invalid(at, field.example, say("the example {reason}", reason=wrong))


def find_misfit(kind: FieldKind, value: object) -> Said | None:
    """What a value of this kind must be, if this one is none."""
    text = "、".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)
    match kind:
        case FieldKind.date:
            fits = read_day(text) is not None
        case FieldKind.time:
            fits = read_time_of_day(text) is not None
        case FieldKind.moment:
            fits = read_day_and_time(text) is not None
        case FieldKind.number:
            fits = read_decimal(value if isinstance(value, (int, float)) else text) is not None
        case FieldKind.phone:
            fits = _PHONE.fullmatch(text) is not None
        case FieldKind.link:
            fits = _LINK.fullmatch(text) is not None
        case FieldKind.list:
            fits = _is_list(text)
        case _:
            fits = not isinstance(value, (list, tuple))
            return None if fits else as_said("must be one text, not a list")
    return None if fits else _WANTED[kind]


def check_kinds(fields: Iterable[TemplateField], values: Mapping[str, Any]) -> None:
    """Refuse a value that is not of its field's kind; an empty one counts as missing. Raises Invalid("values.…")."""
    for field in fields:
        value = values.get(field.name)
        if value not in (None, "", []) and (wrong := find_misfit(field.kind, value)):
            raise Invalid(f"values.{field.name}", value, wrong)


def fields_of(version: TemplateVersion) -> list[TemplateField]:
    """What a version asks for. One of before fields were kept asks for its variables by their names."""
    saved = [read_field(one) for one in version.fields]
    try:
        return describe_fields(get_compiled(version.id, version.body), version.body, saved)
    except CannotRender:
        return saved


def examples_of(version: TemplateVersion) -> dict[str, str]:
    """A value for each variable that has an example."""
    return {field.name: field.example for field in fields_of(version) if field.example}


def read_field(stored: Mapping[str, Any]) -> TemplateField:
    """A field as JSON has it."""
    return TemplateField(**{**stored, "kind": FieldKind(stored.get("kind", FieldKind.text))})


def write_field(field: TemplateField) -> dict[str, str]:
    """A field for JSON."""
    return {name: str(value) for name, value in asdict(field).items()}


def _is_list(text: str) -> bool:
    try:
        return bool(split_items(text))
    except CannotRender:
        return False
