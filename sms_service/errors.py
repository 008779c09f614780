"""What rooms raise when an act cannot be done; the doors turn these into answers for people."""

from __future__ import annotations

from typing import Any


class ServiceError(Exception):
    """Base of the errors that a person can do something about; the message is one sentence for that person."""


class Invalid(ServiceError):
    """A field's value cannot be used. `field` is its name as the caller wrote it, `reason` says what would be right."""

    def __init__(self, field: str, value: Any, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.field, self.value, self.reason = field, value, reason


class NotFound(ServiceError):
    """There is no such thing."""

    def __init__(self, kind: str, name: object) -> None:
        super().__init__(f"there is no {kind} {name}")
        self.kind, self.name = kind, name


class Forbidden(ServiceError):
    """The actor's roles do not reach this."""


class Conflict(ServiceError):
    """The thing is in a state in which this cannot be done; the message names the state and what is possible."""
