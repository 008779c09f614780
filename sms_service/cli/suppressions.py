"""`python -m sms_service suppressions …`: the opt-out list."""

from __future__ import annotations

from typing import Any

import click

from sms_service.cli.options import as_anybody
from sms_service.cli.options import why as why_option
from sms_service.vocabulary import MessageReason, TextClass

_person = click.option("--number", metavar="NUMBER", required=True, help="The office's number of who has the phone.")
_unit = click.option("--unit", "code", metavar="CODE", help="Texts of this unit and of all below it; by default all.")
_class = click.option(
    "--class", "class_", type=click.Choice(list(TextClass)), help="Texts of this class; by default all."
)
_signature = click.option("--signature", metavar="TEXT", help="Texts with this signature; by default all.")


@click.group()
def suppressions() -> None:
    """Phones that get no texts."""


@suppressions.command("list")
@click.option("--unit", "code", metavar="CODE", help="Only the subtree of the unit with this code.")
@click.option("--reason", help="Only those with this reason.")
@click.option(
    "--scope",
    type=click.Choice(["everywhere", "unit", "kind"]),
    help="For every text, for one unit's only, or for a class or signature only.",
)
@_class
@_signature
@click.option("--state", type=click.Choice(["active", "lifted", "all"]), default="active", show_default=True)
@click.option("--limit", type=click.IntRange(1, 1000), default=100, show_default=True, help="At most so many.")
@as_anybody
def list_(
    code: str | None,
    reason: str | None,
    scope: str | None,
    class_: str | None,
    signature: str | None,
    state: str,
    limit: int,
    login: str | None,
) -> None:
    """List entries of the opt-out list, newest first."""
    from sms_service.audience.covering import TextKind
    from sms_service.audience.models import Suppression
    from sms_service.audience.suppression_list import find_suppressions, may_read_all_suppressions
    from sms_service.cli.acting import acting, scope_of
    from sms_service.cli.context import open_session

    with open_session() as session:
        actor = acting(session, login)
        everything = code is None and may_read_all_suppressions(session, actor)
        statement = find_suppressions(
            scope_of(session, actor, code),
            everything=everything,
            reason=reason,
            scope=scope,
            kind=TextKind(class_, signature),
            state=state,
        )
        rows = session.execute(statement.order_by(Suppression.created_at.desc(), Suppression.id.desc()).limit(limit))
        _print(rows.all())


@suppressions.command()
@_person
@as_anybody
def history(number: str, login: str | None) -> None:
    """Show all entries that a person's phone ever had, newest first."""
    from sms_service.audience.suppression_list import list_history
    from sms_service.cli.acting import acting
    from sms_service.cli.context import open_session

    with open_session() as session:
        actor = acting(session, login)
        _print(list_history(session, actor, _phone(session, actor, number)))


@suppressions.command()
@_person
@click.option("--reason", default=MessageReason.opted_out.value, show_default=True, help="Why; manual needs a note.")
@click.option("--note", help="How it is known. Write no phone number.")
@_unit
@_class
@_signature
@as_anybody
def add(
    number: str,
    reason: str,
    note: str | None,
    code: str | None,
    class_: str | None,
    signature: str | None,
    login: str | None,
) -> None:
    """Let a person's phone have no texts; an entry that it has already stays as it is."""
    from sms_service.audience.covering import TextKind
    from sms_service.audience.suppression import suppress_phone
    from sms_service.cli.acting import acting, find_unit_id
    from sms_service.cli.context import open_session

    with open_session() as session:
        actor = acting(session, login)
        unit_id = None if code is None else find_unit_id(session, code)
        phone = _phone(session, actor, number)
        kind = TextKind(class_, signature)
        found = suppress_phone(session, actor, phone, reason, unit_id=unit_id, kind=kind, note=note)
        click.echo(f"suppression {found.id}: {found.reason}")


@suppressions.command()
@_person
@_unit
@_class
@_signature
@why_option
@as_anybody
def lift(number: str, code: str | None, class_: str | None, signature: str | None, why: str, login: str | None) -> None:
    """Let a person's phone have texts again: lift the entry with just this unit, class and signature."""
    from sms_service.audience.covering import TextKind
    from sms_service.audience.suppression import lift_suppression
    from sms_service.cli.acting import acting, find_unit_id
    from sms_service.cli.context import open_session

    with open_session() as session:
        actor = acting(session, login)
        unit_id = None if code is None else find_unit_id(session, code)
        lift_suppression(session, actor, _phone(session, actor, number), why, unit_id, TextKind(class_, signature))
        click.echo("lifted")


def _phone(session: Any, actor: Any, number: str) -> str:
    from sms_service.cli.acting import find_person_id
    from sms_service.directory.people import get_person
    from sms_service.errors import Invalid

    phone: str | None = get_person(session, actor, find_person_id(session, number)).phone
    if phone is None:
        raise Invalid("number", number, "has no phone number")
    return phone


def _print(rows: list[Any] | Any) -> None:
    from sms_service.masking import mask_phone, mask_text

    for row in rows:
        one = row.Suppression
        who = f"{mask_text(row.name)}, {row.home}" if row.name else "nobody in these units"
        line = f"suppression {one.id}: {mask_phone(one.phone)} ({who}): {one.reason}"
        signed = f"【{one.signature}】" if one.signature else None
        which = " ".join(word for word in (one.class_, signed, "texts") if word)
        line += f", {which} of {row.unit}" if row.unit else f", {'all ' if which == 'texts' else ''}{which}"
        proof = f" {one.proof_id}" if one.proof_id else ""
        line += f"; since {one.created_at:%Y-%m-%d} by {row.login or one.source + proof}"
        line += f" ({mask_text(one.note)})" if one.note else ""
        if one.lifted_at:
            why = f" ({mask_text(one.lift_why)})" if one.lift_why else ""
            line += f"; lifted {one.lifted_at:%Y-%m-%d} by {row.lifted_login or 'the service'}{why}"
        click.echo(line)
    click.echo(f"{len(rows)} entries")
