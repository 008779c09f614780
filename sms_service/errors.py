"""The errors that rooms raise when an act cannot be done; the doors turn them into answers for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sms_service.said import Said, as_said, say


class ServiceError(Exception):
    """Base of the errors that a person can do something about; the message is one sentence for that person.

    The message is a constant, or made by `say`, so that a catalogue can always find it.
    """

    @property
    def said(self) -> Said:
        """The sentence with its message and values (`str` gives the sentence alone)."""
        return as_said(self.args[0])


class Invalid(ServiceError):
    """A field's value cannot be used. `field` is its name as the caller wrote it, `reason` says what would be right."""

    def __init__(self, field: str, value: Any, reason: str) -> None:
        super().__init__(say("{field}: {reason}", field=field, reason=as_said(reason)))
        self.field, self.value, self.reason = field, value, reason


class NotFound(ServiceError):
    """There is no such thing. `kind` is a constant and becomes part of the message; `values` fill its places."""

    def __init__(self, kind: str, name: object, **values: object) -> None:
        super().__init__(say("there is no " + kind + " {name}", name=name, **values))
        self.kind, self.name = kind, name


class Forbidden(ServiceError):
    """The actor's roles do not reach this."""


class Conflict(ServiceError):
    """The thing is in a state in which this cannot be done; the message names the state and what is possible."""


class EditedMeanwhile(Conflict):
    """Somebody else changed the thing since the actor read it. `wanted`: what the actor wanted to write, by field;
    `standing`: what stands there now, None: nothing does.
    """

    def __init__(self, message: str, wanted: Mapping[str, Any], standing: Mapping[str, Any] | None) -> None:
        super().__init__(message)
        self.wanted, self.standing = wanted, standing
