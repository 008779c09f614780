"""The demonstration's people, for its log-in page: each with a line on what they come to do, one press to be them.

Only an installation whose data folder holds the demonstration's file shows them (`make run` on an empty database writes
it): no other has such people.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from sms_service.console.cookies import is_loopback
from sms_service.web.context import current_context

PEOPLE_FILE = "demonstration-people.json"


@dataclass(frozen=True, slots=True)
class CastMember:
    """One of them. `story` is a message in English, to be said in the page's language."""

    login: str
    password: str
    name: str
    story: str


def list_cast() -> list[CastMember]:
    """The demonstration's people; empty for every other installation and for a browser of another machine."""
    path = current_context().settings.data_dir / PEOPLE_FILE
    if not is_loopback() or not path.is_file():
        return []
    return [CastMember(**member) for member in json.loads(path.read_text(encoding="utf-8"))]
