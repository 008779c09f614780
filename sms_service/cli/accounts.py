"""`python -m sms_service account …`: accounts, roles and tokens from the shell, as the service itself.

A person with the machine's shell may do everything: this is how the first administrator is created.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sms_service.accounts.models import ROLES, ROLES_OF_MANY
from sms_service.cli.options import as_anybody

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from sms_service.accounts.models import Account

_login = click.argument("login")
_unit = click.option("--unit", "code", metavar="CODE", required=True, help="The code of the unit.")
_role = click.Choice(ROLES)


@click.group()
def account() -> None:
    """Who may log in, with which roles and tokens."""


@account.command()
@_login
@_unit
@click.option("--name", help="The person's or the program's name; by default the login.")
@click.option("--role", "roles", type=_role, multiple=True, help="A role to hold on the unit; may be given again.")
@click.option("--password", "ask", is_flag=True, help="Ask for a password; without one it uses tokens only.")
def create(login: str, code: str, name: str | None, roles: tuple[str, ...], ask: bool) -> None:
    """Create an account that belongs to a unit."""
    from sms_service.accounts import services
    from sms_service.accounts.actors import SYSTEM
    from sms_service.cli.acting import find_unit_id
    from sms_service.cli.context import open_session

    password = click.prompt("Password", hide_input=True, confirmation_prompt=True) if ask else None
    with open_session() as session:
        unit_id = find_unit_id(session, code)
        made = services.create_account(
            session, SYSTEM, unit_id=unit_id, login=login, name=name or login, password=password
        )
        for role in roles:
            services.grant_role(session, SYSTEM, made.id, role=role, unit_id=unit_id)
    click.echo(f"account {made.id} {login} of unit {code}: {', '.join(roles) or 'no role yet'}")


@account.command()
@_login
@click.argument("role", type=_role)
@_unit
def grant(login: str, role: str, code: str) -> None:
    """Give an account a role on a unit; it reaches the unit's whole subtree."""
    from sms_service.accounts import services
    from sms_service.accounts.actors import SYSTEM
    from sms_service.cli.acting import find_unit_id
    from sms_service.cli.context import open_session

    with open_session() as session:
        services.grant_role(session, SYSTEM, _find(session, login).id, role=role, unit_id=find_unit_id(session, code))
    click.echo(f"{login} is {role} of unit {code}")


@account.command()
@_login
@click.option("--name", "name", default="shell", show_default=True, help="What the token is for.")
@click.option("--days", type=click.IntRange(1, 365), default=90, show_default=True, help="How long it works.")
def token(login: str, name: str, days: int) -> None:
    """Issue a token and print it, alone on a line; it is shown this once."""
    import secrets

    from sms_service.accounts import tokens
    from sms_service.accounts.actors import SYSTEM
    from sms_service.cli.context import open_session

    now = datetime.now(UTC)
    with open_session() as session:
        _, secret = tokens.issue_token(
            session,
            SYSTEM,
            _find(session, login).id,
            name,
            now=now,
            random_bytes=secrets.token_bytes,
            expires_at=now + timedelta(days=days),
        )
    click.echo(secret)


@account.command()
@_unit
@click.option("--file", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="姓名, 组织编码, 登录名.")
@click.option("--contacts", "contact_role", metavar="ROLE", help="Those who hold this role there, such as 书记.")
@click.option(
    "--role", type=click.Choice(ROLES_OF_MANY), default="officer", show_default=True, help="On their own unit."
)
@click.option(
    "--make", is_flag=True, help="Make them and print their first passwords; without it, only say what would."
)
@as_anybody
def many(code: str, file: Path | None, contact_role: str | None, role: str, make: bool, login: str | None) -> None:
    """Create the accounts of a file, or of those who hold a role in a unit or below."""
    import secrets

    from sms_service.cli.acting import acting, find_unit_id
    from sms_service.cli.context import open_session
    from sms_service.directory import logins

    if (file is None) == (contact_role is None):
        raise click.UsageError("give either --file or --contacts")
    with open_session() as session:
        actor, unit_id = acting(session, login), find_unit_id(session, code)
        if file is not None:
            rows = logins.read_login_rows(file.read_bytes())
        else:
            rows = logins.list_contact_rows(session, actor, unit_id, contact_role or "")
        plan = logins.plan_logins(session, actor, unit_id, rows, role)
        made = []
        if make:
            made = logins.make_logins(session, actor, unit_id, rows, role, plan.digest, secrets.token_bytes)
    for row in plan.rows:
        what = f"{row.why}" if row.why else row.login
        click.echo(f"row {row.row} {row.name}, unit {row.unit_code}: {row.state} {what}", err=make)
    click.echo(f"{len(plan.to_create)} of {len(plan.rows)} {'were' if make else 'would be'} created", err=make)
    for one in made:
        click.echo(f"{one.login}\t{one.password}\t{one.name}\t{one.unit}")


@account.command("list")
def list_() -> None:
    """Every account with its unit and roles."""
    from sqlalchemy import select

    from sms_service.accounts.models import Account, RoleGrant
    from sms_service.cli.context import open_session
    from sms_service.directory.models import Unit

    with open_session() as session:
        roles: dict[int, list[str]] = {}
        held = select(RoleGrant.account_id, RoleGrant.role, Unit.code).join(Unit, Unit.id == RoleGrant.unit_id)
        for account_id, role, code in session.execute(held.order_by(RoleGrant.id)):
            roles.setdefault(account_id, []).append(f"{role} of {code}")
        accounts = select(Account, Unit.code).join(Unit, Unit.id == Account.unit_id).order_by(Account.login)
        for found, code in session.execute(accounts):
            state = "" if found.disabled_at is None else " (disabled)"
            click.echo(f"{found.login}{state}, unit {code}: {', '.join(roles.get(found.id, ['no role']))}")


def _find(session: Session, login: str) -> Account:
    from sqlalchemy import select

    from sms_service.accounts.models import Account
    from sms_service.errors import NotFound

    found = session.scalar(select(Account).where(Account.login == login))
    if found is None:
        raise NotFound("account with the login", login)
    return found
