"""The bases of every schema, and the fields that the resources share."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from typing import Any

from marshmallow import RAISE, Schema, ValidationError, fields, pre_load, validate

from sms_service.directory.text import LONGEST_WHY
from sms_service.masking import mask_phone, mask_said, mask_text
from sms_service.said import as_said, say, to_json

MAX_ID = 2**63 - 1  # PostgreSQL's bigint

# The fields of a sentence for clients that show it in another language: see `said`.
MESSAGE = "The same sentence with named places, such as `must be from 1 to {most}`: the key of a translation"
VALUES = "What stands in the places: texts, numbers, lists of texts, or a sentence again with its message and values"


class In(Schema):
    """What a caller sends. Unknown fields are refused, and so are characters that PostgreSQL cannot store."""

    class Meta:
        unknown = RAISE

    @pre_load
    def _refuse_unstorable(self, data: Any, **_: Any) -> Any:
        problems = find_unstorable(data)
        if problems:
            raise ValidationError(problems)
        return data


class Out(Schema):
    """What we answer: exactly the declared fields."""


class SaidOut(Out):
    """A sentence of the service as its message and values."""

    message = fields.String(metadata={"description": MESSAGE})
    values = fields.Dict(keys=fields.String(), metadata={"description": VALUES})


class SaidMessage(fields.Nested):
    """Something said as its message and values, for saying it in another language, with the phone numbers in it masked
    as `MaskedText` masks them in the sentence; dump only.

    `masked=False`: for our own words that have a phone number as an example.
    """

    def __init__(self, *, masked: bool = True, **kwargs: Any) -> None:
        super().__init__(SaidOut, allow_none=True, dump_only=True, **kwargs)
        self.masked = masked

    # Nested and Field call the first one differently.
    def _serialize(self, nested_obj: Any, attr: Any, obj: Any, **kwargs: Any) -> Any:  # type: ignore[override]
        if nested_obj is None:
            return None
        return to_json(mask_said(nested_obj, mask_text) if self.masked else nested_obj)


class Id(fields.Integer):
    """A row's id: a whole number from 1, in JSON a number, in a query string its digits."""

    default_error_messages = {"invalid": "must be the id of a row: a whole number from 1"}  # noqa: RUF012

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("validate", validate.Range(1, MAX_ID, error="must be a whole number from 1 to 2^63 - 1"))
        super().__init__(**kwargs)

    def _validated(self, value: Any) -> Any:
        return super()._validated(whole_number(self, value))


class Whole(fields.Integer):
    """A whole number, in JSON a number, in a query string its digits; never a fraction, never true or false."""

    default_error_messages = {"invalid": "must be a whole number"}  # noqa: RUF012

    def _validated(self, value: Any) -> Any:
        return super()._validated(whole_number(self, value))


class VersionNumber(Whole):
    """The number of a template's version."""

    def __init__(self, **kwargs: Any) -> None:
        number = validate.Range(1, 2**15 - 1, error="must be the number of a version, from 1")
        super().__init__(validate=number, **kwargs)


class OneLine(fields.String):
    """One line of text for people: outer blanks and a byte order mark are cut off; 1 to `longest` characters remain."""

    def __init__(self, longest: int = 100, **kwargs: Any) -> None:
        self.longest = longest
        kwargs["metadata"] = {"minLength": 1, "maxLength": longest, **kwargs.get("metadata", {})}
        super().__init__(**kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> Any:
        text = str(super()._deserialize(value, attr, data, **kwargs)).strip().strip("\ufeff").strip()
        if not 1 <= len(text) <= self.longest:
            raise ValidationError(say("must have 1 to {most} characters", most=self.longest))
        if any(unicodedata.category(character) == "Cc" for character in text):
            raise ValidationError("must be one line without control characters")
        return text


class WhyIn(In):
    """The reason for an act; it goes into the trail."""

    why = OneLine(LONGEST_WHY, required=True, metadata={"description": "Why, for whoever reads it later"})


class MaskedPhone(fields.String):
    """A phone number as answers show it by default, `+86138****1234`; only for answers."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("dump_only", True)
        kwargs.setdefault("metadata", {"description": "Phone number in E.164, its middle digits masked"})
        super().__init__(**kwargs)

    def _serialize(self, value: Any, attr: str | None, obj: Any, **kwargs: Any) -> str | None:
        return None if value is None else mask_phone(str(value))


class MaskedText(fields.String):
    """A text that a person, a file or a provider wrote, with the phone numbers in it masked; dump only."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("dump_only", True)
        super().__init__(**kwargs)

    def _serialize(self, value: Any, attr: str | None, obj: Any, **kwargs: Any) -> str | None:
        return None if value is None else mask_text(str(value))


def list_of(item: type[Out] | Out, name: str, *, scoped: bool = True) -> type[Out]:
    """The schema of a list's answer, `name` in the documentation: the scope it covers, its items, the next page.

    `scoped=False`: a list that does not depend on units, such as the caller's own tokens.
    """
    members: dict[str, Any] = {
        "items": fields.List(fields.Nested(item), metadata={"description": "One page of the list"}),
        "next": fields.String(
            allow_none=True, metadata={"description": "`cursor` of the next page; null on the last page"}
        ),
    }
    if scoped:
        covered = fields.Nested(ScopeUnit)
        members["scope"] = fields.List(covered, metadata={"description": "The units whose subtrees this list covers"})
    return type(name, (Out,), members)


class ScopeUnit(Out):
    """A unit that a list covers with its whole subtree."""

    id = fields.Integer(metadata={"description": "The unit's id"})
    code = fields.String(metadata={"description": "The office's own number for the unit"})
    name = fields.String(metadata={"description": "The unit's name"})


def whole_number(field: fields.Field[Any], value: Any) -> Any:
    """`value` if it is a whole number or the digits of one. Otherwise raises ValidationError with the field's
    message.
    """
    if isinstance(value, bool) or not (
        isinstance(value, int) or (isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,19}", value))
    ):
        raise field.make_error("invalid", input=value)
    return value


def find_unstorable(data: Any) -> Any:
    """Messages on the texts that contain NUL or half a surrogate pair, nested as `data` is; empty if there are none."""
    if isinstance(data, str):
        if "\x00" in data:
            return [as_said("must not contain the character NUL")]
        broken = any("\ud800" <= character <= "\udfff" for character in data)
        return [as_said("contains half of a surrogate pair")] if broken else []
    if isinstance(data, Mapping):
        found = {str(key): find_unstorable(value) or find_unstorable(key) for key, value in data.items()}
    elif isinstance(data, list):
        found = {index: find_unstorable(value) for index, value in enumerate(data)}  # type: ignore[misc]
    else:
        return []
    return {key: messages for key, messages in found.items() if messages}
