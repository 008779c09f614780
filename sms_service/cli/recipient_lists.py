"""`python -m sms_service list …`: lists for one campaign from the shell; `import recipients` makes one."""

from __future__ import annotations

import click

from sms_service.cli.options import as_anybody

_id = click.argument("list_id", metavar="ID", type=click.IntRange(1))


@click.group("list")
def recipient_list() -> None:
    """Lists for one campaign; `import recipients` makes one of a file."""


@recipient_list.command()
@_id
@as_anybody
def show(list_id: int, login: str | None) -> None:
    """Print what a text can take from a list, and what uses it."""
    from sms_service.audience.listed import ROW
    from sms_service.audience.recipient_lists import get_list
    from sms_service.campaigns.list_uses import list_campaigns_of_list
    from sms_service.cli.acting import acting
    from sms_service.cli.context import open_session
    from sms_service.masking import mask_text

    with open_session() as session:
        actor = acting(session, login)
        found = get_list(session, actor, list_id)
        lines = [f"list {found.id} {mask_text(found.name)}: {found.people} people, {found.guests} of them guests"]
        lines += [f"segment {found.segment_id}, digest {found.digest.hex()[:12]}"]
        lines += [f"{{{{ {ROW}{column} }}}}" for column in found.columns]
        used = list_campaigns_of_list(session, actor, found.id)
        lines += [f"campaign {one['id']} {one['name']} ({one['status']})" for one in used]
        if found.emptied_at is not None:
            lines.append(f"its rows were deleted at {found.emptied_at.isoformat(timespec='minutes')}")
    click.echo("\n".join(lines))


@recipient_list.command()
@_id
@as_anybody
def rows(list_id: int, login: str | None) -> None:
    """Print the people on a list with their values, in the order of the file; phone numbers are masked."""
    from sms_service.audience.list_models import RecipientRow
    from sms_service.audience.recipient_lists import find_list_rows, get_list
    from sms_service.cli.acting import acting
    from sms_service.cli.context import open_session
    from sms_service.masking import mask_text

    with open_session() as session:
        actor = acting(session, login)
        found = find_list_rows(session, actor, get_list(session, actor, list_id)).order_by(RecipientRow.row)
        for one in session.execute(found.execution_options(yield_per=1000)):
            values = " ".join(f"{name}={mask_text(value)}" for name, value in sorted(one.RecipientRow.values.items()))
            guest = " (guest)" if one.Person.kind == "guest" else ""
            click.echo(f"row {one.RecipientRow.row} {mask_text(one.Person.name)}{guest}: {values}")


@recipient_list.command("let-go")
@_id
@as_anybody
def let_go(list_id: int, login: str | None) -> None:
    """Say that nobody needs a list any more: the clock erases its guests and deletes its rows."""
    from sms_service.cli.acting import acting
    from sms_service.cli.context import open_session
    from sms_service.personal.list_endings import let_list_go

    with open_session() as session:
        let_list_go(session, acting(session, login), list_id)
    click.echo(f"list {list_id} is let go; its rows are deleted within a minute")
