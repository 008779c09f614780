"""Which rows of the ledger a command is about: the options that counts and exports share, those of the API's filters.

They are written down here, since `--help` shall not wait for the API's schemas; a test compares them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypedDict, TypeVar

import click

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from sms_service.accounts.actors import Actor
    from sms_service.reports.filters import Filter

_Command = TypeVar("_Command", bound=Callable[..., Any])
_UNITS = ("unit", "under", "sender")  # a shell names a unit by its code


def _text(name: str, help_: str, metavar: str | None = None) -> Callable[[_Command], _Command]:
    return click.option(f"--{name.rstrip('_').replace('_', '-')}", name, metavar=metavar, help=help_)


_OPTIONS: tuple[Callable[[Any], Any], ...] = (
    _text("unit", "Only this unit's subtree.", "CODE"),
    click.option("--subtree/--no-subtree", default=True, help="Also of the units below.", show_default=True),
    _text("under", "Only what was within this unit's subtree at launch.", "CODE"),
    _text("sender", "Only what units in this unit's subtree sent.", "CODE"),
    click.option(
        "--sender-subtree/--no-sender-subtree", default=True, help="Also of those below the sender.", show_default=True
    ),
    _text("since", "Only runs launched on this local day or later.", "DAY"),
    _text("until", "Only runs launched on this local day or earlier.", "DAY"),
    _text("campaign", "Only this campaign.", "N"),
    _text("run", "Only this run.", "N"),
    _text("item", "Only this text of a campaign.", "N"),
    _text("template", "Only texts rendered from this template; 0: from none.", "N"),
    _text("category", "Only from templates of this category; 0: of none.", "N"),
    _text("status", "Only messages of this status."),
    _text("reason", "Only messages with this reason; '': with none."),
    _text("code", "Only messages with this code of the provider's own; '': with none."),
    _text("class_", "Only texts of this class.", "CLASS"),
    _text("kind", "Only runs of this kind: campaign, test, answer or notice."),
    click.option("--of-campaign/--of-no-campaign", default=None, help="Only texts of campaigns, or only the others."),
    _text("account", "Only messages that this gateway account had last; '': none had.", "NAME"),
    _text("carrier", "Only numbers that this carrier gave out; '': not told."),
    _text("unclassified", "Only messages with this code of the provider's that no table has.", "CODE"),
    _text("changed_since", "Only messages that changed last at this moment or later, such as 2026-12-01T09:00+08:00."),
    _text("changed_before", "Only messages that changed last before this moment."),
)


class RowsAsked(TypedDict):
    """What the options of `asks_rows` were given, under the names of the API's filters."""

    unit: str | None
    subtree: bool
    under: str | None
    sender: str | None
    sender_subtree: bool
    since: str | None
    until: str | None
    campaign: str | None
    run: str | None
    item: str | None
    template: str | None
    category: str | None
    status: str | None
    reason: str | None
    code: str | None
    class_: str | None
    kind: str | None
    of_campaign: bool | None
    account: str | None
    carrier: str | None
    unclassified: str | None
    changed_since: str | None
    changed_before: str | None


def asks_rows(command: _Command) -> _Command:
    """The command takes these options, in this order, and gives them to `find_rows`."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def find_rows(session: Session, actor: Actor, asked: RowsAsked) -> tuple[Filter, dict[str, str]]:
    """The rows that are asked for, within what the actor may read, and the filters as an address has them.

    Raises Invalid, NotFound or Forbidden.
    """
    from marshmallow import ValidationError

    from sms_service.cli.acting import find_unit_id
    from sms_service.errors import Invalid
    from sms_service.web.ledger_rows import MessageFilter, name_filters, scope_messages

    given = {name.rstrip("_"): value for name, value in asked.items() if value is not None}
    for name in _UNITS:
        if name in given:
            given[name] = find_unit_id(session, str(given[name]))
    try:
        query = MessageFilter().load(given)
    except ValidationError as error:
        name, messages = next(iter(error.messages_dict.items()))
        raise Invalid(f"--{name.replace('_', '-')}", given.get(name), messages[0]) from None
    return scope_messages(session, actor, query)[1], name_filters(query)
