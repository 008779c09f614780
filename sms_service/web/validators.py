"""What a field's value must be, said so that a catalogue can say it again: marshmallow's own validators fill the places
of their sentences themselves, and then no translation finds them.
"""

from __future__ import annotations

from collections.abc import Sized
from typing import Any, TypeVar

from marshmallow import ValidationError, validate

from sms_service.said import say

_Sized = TypeVar("_Sized", bound=Sized)


class WithinRange(validate.Range):
    """A number from `min` to `max`, both included."""

    def __call__(self, value: Any) -> Any:
        try:
            return super().__call__(value)
        except ValidationError:
            raise ValidationError(say("must be from {least} to {most}", least=self.min, most=self.max)) from None


class TextLength(validate.Length):
    """A text of `min` to `max` characters."""

    def __call__(self, value: _Sized) -> _Sized:
        try:
            return super().__call__(value)
        except ValidationError:
            reason = say("must have {least} to {most} characters", least=self.min, most=self.max)
            raise ValidationError(reason) from None


class ListLength(validate.Length):
    """A list of `min` to `max` entries, or of any number from `min`."""

    def __call__(self, value: _Sized) -> _Sized:
        try:
            return super().__call__(value)
        except ValidationError:
            if self.max is None:
                raise ValidationError(say("must have at least {least} entries", least=self.min)) from None
            raise ValidationError(say("must have {least} to {most} entries", least=self.min, most=self.max)) from None


class OneOfWords(validate.OneOf):
    """One of these words."""

    def __call__(self, value: Any) -> Any:
        try:
            return super().__call__(value)
        except ValidationError:
            raise ValidationError(say("must be one of {words}", words=tuple(self.choices))) from None
