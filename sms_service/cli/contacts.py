"""`python -m sms_service contacts …`: roles in units, and the branches that nobody is reached through."""

from __future__ import annotations

import click

from sms_service.cli.options import as_anybody

_code = click.option("--unit", "code", metavar="CODE", required=True, help="The unit with this code.")
_person = click.option("--person", "number", metavar="NUMBER", required=True, help="The office's number of the person.")
_role = click.option("--role", required=True, help="The role, such as 书记.")


@click.group("contacts")
def contacts() -> None:
    """Who holds a role in a unit."""


@contacts.command()
@click.option("--unit", "code", metavar="CODE", help="Only the subtree of the unit with this code.")
@click.option("--role", help="Ask only for this role, whoever else holds one.")
@as_anybody
def lacking(code: str | None, role: str | None, login: str | None) -> None:
    """List the branches in which nobody who holds a role is reachable, with their numbers of members."""
    from sms_service.audience.contacts import find_unreached_branches, list_holders
    from sms_service.cli.acting import acting, scope_of
    from sms_service.cli.context import open_session
    from sms_service.directory.models import Unit
    from sms_service.masking import mask_text

    with open_session() as session:
        paths = scope_of(session, acting(session, login), code)
        rows = session.execute(find_unreached_branches(paths, role=role).order_by(Unit.code, Unit.id)).all()
        held = list_holders(session, [row.Unit.id for row in rows], role, most=100_000)
        for row in rows:
            who = ", ".join(f"{one.role} {mask_text(one.name)}: {one.why}" for one in held.get(row.Unit.id, []))
            click.echo(f"{row.Unit.code} {row.Unit.name}: {row.members} members; {who or 'nobody holds the role'}")
        click.echo(f"{len(rows)} branches, {sum(row.members for row in rows)} members")


@contacts.command()
@_person
@_code
@_role
@as_anybody
def give(number: str, code: str, role: str, login: str | None) -> None:
    """Let a person hold a role in a unit, beside those that they have."""
    from sms_service.cli.acting import acting, find_person_id, find_unit_id
    from sms_service.cli.context import open_session
    from sms_service.directory.contacts import give_contact_role

    with open_session() as session:
        actor = acting(session, login)
        given, made = give_contact_role(
            session, actor, find_person_id(session, number), find_unit_id(session, code), role
        )
        click.echo(f"person {number} holds the role {given.role} in unit {code}{'' if made else ' already'}")


@contacts.command()
@_person
@_code
@_role
@as_anybody
def take(number: str, code: str, role: str, login: str | None) -> None:
    """Let a person hold a role in a unit no more."""
    from sqlalchemy import select

    from sms_service.cli.acting import acting, find_person_id, find_unit_id
    from sms_service.cli.context import open_session
    from sms_service.directory.contacts import take_contact_role
    from sms_service.directory.models import Contact
    from sms_service.errors import NotFound

    with open_session() as session:
        actor = acting(session, login)
        held = {"person_id": find_person_id(session, number), "unit_id": find_unit_id(session, code), "role": role}
        contact_id = session.scalar(select(Contact.id).filter_by(**held))
        if contact_id is None:
            raise NotFound("contact with the role", role)
        take_contact_role(session, actor, contact_id)
        click.echo(f"person {number} does not hold the role {role} in unit {code} any more")
