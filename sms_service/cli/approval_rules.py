"""`python -m sms_service approval-rules …`: how many approvals campaigns need."""

from __future__ import annotations

from typing import Any

import click

from sms_service.cli.options import as_anybody

_LEVELS = ("city", "district", "street", "branch")
_rule_id = click.argument("rule_id", metavar="ID", type=click.IntRange(1))
_of_unit = click.option("--unit", "code", metavar="CODE", required=True, help="The unit with this code.")


@click.group("approval-rules")
def approval_rules() -> None:
    """How many approvals a campaign needs, by level, class and size."""


@approval_rules.command("list")
@as_anybody
def list_(login: str | None) -> None:
    """List the rules, by unit."""
    from sms_service.campaigns.approval_rules import describe_approval_rule, find_approval_rules
    from sms_service.campaigns.rule_models import ApprovalRule
    from sms_service.cli.acting import acting, scope_of
    from sms_service.cli.context import open_session
    from sms_service.directory.models import Unit

    with open_session() as session:
        statement = find_approval_rules(scope_of(session, acting(session, login), None))
        rows = session.execute(statement.order_by(Unit.path, ApprovalRule.id)).all()
        for row in rows:
            click.echo(f"{row.ApprovalRule.id}: {row.Unit.code} {row.Unit.name}: {describe_approval_rule(row[0])}")
        if not rows:
            click.echo("no rule: every campaign needs one approval")


@approval_rules.command("add")
@_of_unit
@click.option("--level", type=click.Choice(_LEVELS), help="Of campaigns of units of this level; by default of any.")
@click.option("--class", "class_", metavar="CLASS", help="Of texts of this class; by default of any.")
@click.option("--up-to", type=int, metavar="N", help="To at most so many people; by default to any number.")
@click.option("--approvals", type=int, required=True, metavar="N", help="0 (self-service), 1 or 2.")
@click.option("--by", "approver_level", type=click.Choice(_LEVELS), help="The level of an approver, or above.")
@click.option("--growth", "growth_percent", type=int, default=20, show_default=True, metavar="PERCENT")
@as_anybody
def add(code: str, login: str | None, **terms: Any) -> None:
    """Add a rule of a unit; it holds for this unit and all below it."""
    from sms_service.campaigns.approval_rules import describe_approval_rule
    from sms_service.campaigns.rule_acts import add_approval_rule
    from sms_service.cli.acting import acting, find_unit_id
    from sms_service.cli.context import open_session

    with open_session() as session:
        made = add_approval_rule(session, acting(session, login), unit_id=find_unit_id(session, code), **terms)
        click.echo(f"{made.id}: {describe_approval_rule(made)}")


@approval_rules.command("change")
@_rule_id
@click.option("--up-to", type=int, metavar="N", help="To at most so many people.")
@click.option("--approvals", type=int, metavar="N", help="0 (self-service), 1 or 2.")
@click.option("--by", "approver_level", type=click.Choice(_LEVELS), help="The level of an approver, or above.")
@click.option("--growth", "growth_percent", type=int, metavar="PERCENT")
@as_anybody
def change(rule_id: int, login: str | None, **terms: Any) -> None:
    """Change what a rule asks for, from the next decision on."""
    from sms_service.campaigns.approval_rules import describe_approval_rule
    from sms_service.campaigns.rule_acts import change_approval_rule
    from sms_service.cli.acting import acting
    from sms_service.cli.context import open_session

    given = {name: value for name, value in terms.items() if value is not None}
    with open_session() as session:
        rule = change_approval_rule(session, acting(session, login), rule_id, given)
        click.echo(f"{rule.id}: {describe_approval_rule(rule)}")


@approval_rules.command("remove")
@_rule_id
@as_anybody
def remove(rule_id: int, login: str | None) -> None:
    """Remove a rule."""
    from sms_service.campaigns.rule_acts import remove_approval_rule
    from sms_service.cli.acting import acting
    from sms_service.cli.context import open_session

    with open_session() as session:
        remove_approval_rule(session, acting(session, login), rule_id)
        click.echo(f"rule {rule_id} is removed")


@approval_rules.command("try")
@_of_unit
@click.option("--class", "class_", metavar="CLASS", required=True, help="What kind of text.")
@click.option("--people", type=int, required=True, metavar="N", help="To how many people.")
@as_anybody
def try_(code: str, class_: str, people: int, login: str | None) -> None:
    """Say what a campaign of a unit to so many people would need."""
    from sms_service.campaigns.rule_acts import try_approval_rules
    from sms_service.cli.acting import acting, find_unit_id
    from sms_service.cli.context import open_session

    with open_session() as session:
        actor = acting(session, login)
        found = try_approval_rules(session, actor, find_unit_id(session, code), class_, people)
        click.echo(f"{found.approvals} approvals: {found.words}")
