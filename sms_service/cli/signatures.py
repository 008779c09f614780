"""`python -m sms_service signature …`: the names in front of texts."""

from __future__ import annotations

import click

from sms_service.cli.options import as_anybody

signature_id = click.argument("signature_id", metavar="ID", type=click.IntRange(1))


@click.group()
def signature() -> None:
    """Signatures of units, and how far the carriers are with them."""


@signature.command("list")
@click.option("--unit", "code", metavar="CODE", help="What this unit and those below it can use.")
@as_anybody
def list_(code: str | None, login: str | None) -> None:
    """List the signatures."""
    from sms_service.cli.acting import acting, scope_of
    from sms_service.cli.context import open_session
    from sms_service.content.models import OwnedSignature
    from sms_service.content.signatures import find_signatures

    with open_session() as session:
        statement = find_signatures(scope_of(session, acting(session, login), code))
        rows = session.execute(statement.order_by(OwnedSignature.id)).all()
        for row in rows:
            states = "".join(f", {name} {state}" for name, state in sorted(row.filings.items()))
            default = f", default of {' and '.join(row.defaults)}" if row.defaults else ""
            one, unit = row.OwnedSignature, row.Unit
            click.echo(f"{one.id}: 【{one.text}】 {unit.code} {unit.name}{states}{default}")
        if not rows:
            click.echo("there is no signature")


@signature.command()
@click.argument("text")
@click.option("--unit", "code", metavar="CODE", required=True, help="The unit whose signature it is.")
@as_anybody
def add(text: str, code: str, login: str | None) -> None:
    """Add a signature, written without brackets."""
    from sms_service.cli.acting import acting, find_unit_id
    from sms_service.cli.context import open_session
    from sms_service.content.signatures import add_signature

    with open_session() as session:
        made = add_signature(session, acting(session, login), find_unit_id(session, code), text)
        click.echo(f"signature {made.id} 【{made.text}】 is added")


@signature.command()
@signature_id
@click.option("--account", required=True, metavar="NAME", help="The gateway account.")
@click.option("--state", type=click.Choice(["draft", "filed", "usable"]), required=True)
@as_anybody
def file(signature_id: int, account: str, state: str, login: str | None) -> None:
    """Write down how far a gateway account is with a signature."""
    from sms_service.cli.acting import acting
    from sms_service.cli.context import open_session
    from sms_service.content.models import FilingState
    from sms_service.content.signatures import set_filing

    with open_session() as session:
        set_filing(session, acting(session, login), signature_id, account, FilingState(state))
    click.echo(f"signature {signature_id} is {state} at {account}")


@signature.command()
@signature_id
@click.option("--unit", "code", metavar="CODE", required=True, help="The unit, with those below it that have none.")
@as_anybody
def default(signature_id: int, code: str, login: str | None) -> None:
    """Make a signature the one that a unit's forms have already."""
    from sms_service.cli.acting import acting, find_unit_id
    from sms_service.cli.context import open_session
    from sms_service.content.signatures import set_default_signature

    with open_session() as session:
        set_default_signature(session, acting(session, login), find_unit_id(session, code), signature_id)
    click.echo(f"signature {signature_id} is the default of {code}")


@signature.command()
@signature_id
@as_anybody
def remove(signature_id: int, login: str | None) -> None:
    """Take a signature away; campaigns that carry its text keep it."""
    from sms_service.cli.acting import acting
    from sms_service.cli.context import open_session
    from sms_service.content.signatures import remove_signature

    with open_session() as session:
        remove_signature(session, acting(session, login), signature_id)
    click.echo(f"signature {signature_id} is removed")
