"""The demonstration's people, for its log-in page: each with a line on what they come to do, one press to be them.

Only an installation whose data folder holds the demonstration's file shows them (`make run` on an empty database writes
it), and only to a browser of its own machine.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sms_service.console.cookies import is_loopback
from sms_service.said import Said, as_said
from sms_service.web.context import current_context

LOGINS_FILE = "demonstration-logins.txt"

STORIES: Mapping[str, Said] = {
    "secretary": as_said("Secretary of a branch: invites its members to a theme day and sees who got the text."),
    "district-officer": as_said("Officer of a district: writes study texts for thousands and follows them."),
    "city-officer": as_said("Officer of the city: everything at once, from segment to counts."),
    "city-approver": as_said("Approver: reads what waits, approves it or sends it back."),
    "second-approver": as_said("Second approver: what goes to the whole city needs two of them."),
    "auditor": as_said("Auditor: follows any number down to its rows and changes nothing."),
    "admin": as_said("Administrator: units, people, accounts, imports."),
    "operator": as_said("Operator: watches gateways, stops and what has an unknown outcome."),
}


@dataclass(frozen=True, slots=True)
class CastMember:
    """One of them; `story` is to be said in the page's language."""

    login: str
    password: str
    name: str
    story: Said


def list_cast() -> list[CastMember]:
    """The demonstration's people in the order of STORIES; empty for every other installation and from elsewhere."""
    path = current_context().settings.data_dir / LOGINS_FILE
    if not is_loopback() or not path.is_file():
        return []
    found = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        login, password, _, name = ([*line.split("\t"), "", "", ""])[:4]
        if login in STORIES:
            found[login] = CastMember(login, password, name or login, STORIES[login])
    return [found[login] for login in STORIES if login in found]
