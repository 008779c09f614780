"""Which rows of the ledger a command is about: the options that counts and exports share."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, TypedDict, TypeVar

import click

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from sms_service.accounts.actors import Actor
    from sms_service.reports.filters import Filter

_Command = TypeVar("_Command", bound=Callable[..., Any])
_day = click.DateTime(["%Y-%m-%d"])
_OPTIONS = (
    click.option("--unit", "code", metavar="CODE", help="Only this unit's subtree."),
    click.option("--campaign", "campaign_id", type=click.IntRange(1), metavar="N", help="Only this campaign."),
    click.option("--run", "run_id", type=click.IntRange(1), metavar="N", help="Only this run."),
    click.option("--since", type=_day, metavar="DAY", help="Only runs launched on this local day or later."),
    click.option("--until", type=_day, metavar="DAY", help="Only runs launched on this local day or earlier."),
    click.option("--status", help="Only messages of this status."),
)


class RowsAsked(TypedDict):
    """What the options of `asks_rows` were given."""

    code: str | None
    campaign_id: int | None
    run_id: int | None
    since: datetime | None
    until: datetime | None
    status: str | None


def asks_rows(command: _Command) -> _Command:
    """The command takes these options, in this order, and gives them to `find_rows`."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def find_rows(session: Session, actor: Actor, asked: RowsAsked) -> Filter:
    """The rows that are asked for, within what the actor may read. Raises NotFound or Forbidden."""
    from sms_service.cli.acting import scope_of
    from sms_service.reports.filters import Filter
    from sms_service.reports.messages import check_named

    rows = Filter(
        scope_of(session, actor, asked["code"]),
        campaign_id=asked["campaign_id"],
        run_id=asked["run_id"],
        since=day_of(asked["since"]),
        until=day_of(asked["until"]),
        status=asked["status"],
    )
    check_named(session, actor, rows)
    return rows


def check_status(asked: RowsAsked) -> None:
    """Raises Invalid for a status that there is not."""
    from sms_service.errors import Invalid
    from sms_service.ledger.states import MessageStatus

    if asked["status"] is not None and asked["status"] not in [*MessageStatus]:
        raise Invalid("--status", asked["status"], f"must be one of {', '.join(MessageStatus)}")


def day_of(moment: datetime | None) -> date | None:
    """The day that was given; None: none was."""
    return moment.date() if moment else None
