"""`python -m sms_service template …`: the API's acts on templates from the shell."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sms_service.cli.options import as_anybody

if TYPE_CHECKING:
    from sms_service.content.models import Template, TemplateVersion

template_id = click.argument("template_id", metavar="ID", type=click.IntRange(1))


@click.group()
def template() -> None:
    """Keep, show and look at templates."""


@template.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--unit", "code", metavar="CODE", required=True, help="The code of the unit that keeps it.")
@as_anybody
def keep(file: Path, code: str, login: str | None) -> None:
    """Keep the template in FILE, written as those in templates/: a new one, or the next version of its name."""
    from sqlalchemy import select

    from sms_service.cli.acting import acting, find_unit_id
    from sms_service.cli.context import open_session
    from sms_service.content import library
    from sms_service.content.models import Template
    from sms_service.content.shipped import read_template_file

    read = read_template_file(file)
    with open_session() as session:
        actor, unit_id = acting(session, login), find_unit_id(session, code)
        found = session.scalar(select(Template).where(Template.unit_id == unit_id, Template.name == read.name))
        if found is None:
            made = library.create_template(session, actor, unit_id, read.name, read.class_, read.body, read.fields)
        else:
            made = found, library.add_version(session, actor, found.id, read.body, read.fields)
        click.echo(_line(*made))


@template.command("list")
@click.option("--unit", "code", metavar="CODE", help="What this unit and those below it can use.")
@click.option("--archived", is_flag=True, help="Those that are archived instead.")
@as_anybody
def list_(code: str | None, archived: bool, login: str | None) -> None:
    """List templates by name, each with its newest version."""
    from sms_service.cli.acting import acting, scope_of
    from sms_service.cli.context import open_session
    from sms_service.content.library import find_templates
    from sms_service.content.models import Template

    with open_session() as session:
        statement = find_templates(scope_of(session, acting(session, login), code), archived=archived)
        rows = session.execute(statement.order_by(Template.name, Template.id)).all()
        lines = [_line(*row) for row in rows]
    click.echo("\n".join(lines) if lines else "there is no template")


@template.command()
@template_id
@click.option("--version", "number", type=int, metavar="N", help="Its version; by default the newest.")
@as_anybody
def show(template_id: int, number: int | None, login: str | None) -> None:
    """Print a template's version as JSON: its text, and what it asks campaigns for."""
    from sms_service.cli.acting import acting
    from sms_service.cli.context import open_session
    from sms_service.content.fields import fields_of, write_field
    from sms_service.content.library import get_numbered_version

    with open_session() as session:
        found, version = get_numbered_version(session, acting(session, login), template_id, number)
        shown = {
            "id": found.id,
            "name": found.name,
            "class": found.class_,
            "version": version.number,
            "version_id": version.id,
            "body": version.body,
            "fields": [write_field(field) for field in fields_of(version)],
        }
    click.echo(json.dumps(shown, ensure_ascii=False, indent=2))


@template.command()
@template_id
@click.option("--version", "number", type=int, metavar="N", help="Its version; by default the newest.")
@click.option("--signature", required=True, help="Stands in front as 【signature】; without brackets.")
@click.option("--value", "pairs", multiple=True, metavar="NAME=TEXT", help="A variable's value; may be given again.")
@click.option("--unit", "code", metavar="CODE", help="For people of this unit and below it.")
@as_anybody
def preview(
    template_id: int, number: int | None, signature: str, pairs: tuple[str, ...], code: str | None, login: str | None
) -> None:
    """Print the shortest and the longest text that people would get."""
    from sms_service.cli.acting import acting, find_unit_id
    from sms_service.cli.campaigns import read_pair
    from sms_service.cli.context import open_session
    from sms_service.content.fields import check_kinds, fields_of
    from sms_service.content.library import get_numbered_version
    from sms_service.content.preview import preview_text
    from sms_service.masking import mask_text

    values: dict[str, Any] = dict(read_pair(pair) for pair in pairs)
    with open_session() as session:
        actor = acting(session, login)
        found, version = get_numbered_version(session, actor, template_id, number)
        check_kinds(fields_of(version), values)
        unit_id = None if code is None else find_unit_id(session, code)
        seen = preview_text(session, actor, version.body, found.class_, signature, values, unit_id=unit_id)
    for text in dict.fromkeys((seen.shortest, seen.longest)):
        click.echo(f"{mask_text(text.text)}\n({text.units} units of {text.encoding}, parts: {text.parts})")
    for name, count in seen.lacking.items():
        click.echo(f"people without {name}: {count}", err=True)


@template.command()
@template_id
@click.option("--unit", "code", metavar="CODE", required=True, help="The code of the unit that keeps the copy.")
@click.option("--name", required=True, help="The name of the copy.")
@as_anybody
def clone(template_id: int, code: str, name: str, login: str | None) -> None:
    """Copy the newest version as a new template of a unit."""
    from sms_service.cli.acting import acting, find_unit_id
    from sms_service.cli.context import open_session
    from sms_service.content.library import clone_template

    with open_session() as session:
        actor = acting(session, login)
        click.echo(_line(*clone_template(session, actor, template_id, find_unit_id(session, code), name)))


@template.command()
@template_id
@click.option("--undo", is_flag=True, help="Bring it back instead.")
@as_anybody
def archive(template_id: int, undo: bool, login: str | None) -> None:
    """Keep new campaigns from using a template; what has used it stays as it is."""
    from sms_service.cli.acting import acting
    from sms_service.cli.context import open_session
    from sms_service.content.library import change_template

    with open_session() as session:
        changed = change_template(session, acting(session, login), template_id, archived=not undo)
        click.echo(f"template {changed.id} {changed.name} is {'in use again' if undo else 'archived'}")


@template.command()
@click.option("--unit", "code", metavar="CODE", help="What this unit and those below it can use.")
@click.option("--add", "names", metavar="NAME", multiple=True, help="Add a category to --unit; may be given again.")
@as_anybody
def categories(code: str | None, names: tuple[str, ...], login: str | None) -> None:
    """List the categories by name, after adding those that are given."""
    from sms_service.cli.acting import acting, find_unit_id, scope_of
    from sms_service.cli.context import open_session
    from sms_service.content.categories import add_category, find_categories
    from sms_service.content.models import TemplateCategory

    if names and code is None:
        raise click.UsageError("--add needs --unit")
    with open_session() as session:
        actor = acting(session, login)
        for name in names:
            add_category(session, actor, find_unit_id(session, code or ""), name)
        rows = session.execute(find_categories(scope_of(session, actor, code)).order_by(TemplateCategory.name)).all()
        for row in rows:
            click.echo(f"{row.TemplateCategory.id}: {row.TemplateCategory.name}, {row.Unit.code} {row.Unit.name}")
        if not rows:
            click.echo("there is no category")


@template.command()
@template_id
@click.option("--version", "number", type=int, metavar="N", help="Its version; by default the newest.")
@click.option("--signature", default="签名", show_default=True, help="Stands in front as 【signature】.")
@as_anybody
def lint(template_id: int, number: int | None, signature: str, login: str | None) -> None:
    """Print what is odd about a version, with its examples in the places of values."""
    from sms_service.accounts.actors import unit_path
    from sms_service.cli.acting import acting
    from sms_service.cli.campaigns import print_findings
    from sms_service.cli.context import open_session
    from sms_service.content.library import get_numbered_version
    from sms_service.content.lint import lint_template

    with open_session() as session:
        found, version = get_numbered_version(session, acting(session, login), template_id, number)
        path = unit_path(session, found.unit_id)
        print_findings(lint_template(session, found.class_, version, path, signature))


@template.command()
@template_id
@click.option("--version", "number", type=int, metavar="N", help="Its version; by default the newest.")
@as_anybody
def bindings(template_id: int, number: int | None, login: str | None) -> None:
    """List how far each gateway account's provider is with a version."""
    from sms_service.cli.acting import acting
    from sms_service.cli.context import open_session
    from sms_service.content.bindings import list_bindings, list_places
    from sms_service.content.library import get_numbered_version

    with open_session() as session:
        _, version = get_numbered_version(session, acting(session, login), template_id, number)
        found = list_bindings(session, version.id)
    places = list_places(version.body)
    shown = "no provider can register it" if places is None else f"places: {', '.join(places) or 'none'}"
    click.echo(f"version {version.number}, {shown}")
    for one in found:
        name = f" as {one['provider_template_id']}" if one["provider_template_id"] else ""
        order = f" ({', '.join(one['parameters'])})" if one["parameters"] else ""
        click.echo(f"{one['account']}: {one['state']}{name}{order}{': ' + one['note'] if one['note'] else ''}")
    if not found:
        click.echo("no gateway account asks for registered templates")


@template.command()
@template_id
@click.option("--version", "number", type=int, metavar="N", help="Its version; by default the newest.")
@click.option("--account", required=True, metavar="NAME", help="The gateway account.")
@click.option("--state", type=click.Choice(["draft", "filed", "usable", "refused"]), required=True)
@click.option(
    "--id", "provider_template_id", metavar="ID", help="What the provider calls it; needed once it is usable."
)
@click.option("--parameter", "parameters", multiple=True, metavar="NAME", help="A variable, in the provider's order.")
@click.option("--note", metavar="TEXT", help="Why it is refused.")
@as_anybody
def bind(
    template_id: int,
    number: int | None,
    account: str,
    state: str,
    provider_template_id: str | None,
    parameters: tuple[str, ...],
    note: str | None,
    login: str | None,
) -> None:
    """Write down how far a gateway account's provider is with a version."""
    from sms_service.cli.acting import acting
    from sms_service.cli.context import open_session
    from sms_service.content.bindings import BindingChange, set_binding
    from sms_service.controls.models import BindingState

    change = BindingChange(BindingState(state), provider_template_id, list(parameters) or None, note)
    with open_session() as session:
        version = set_binding(session, acting(session, login), template_id, number, account, change)
        click.echo(f"version {version.number} of template {template_id} is {state} at {account}")


def _line(found: Template, version: TemplateVersion) -> str:
    return f"template {found.id} {found.name} ({found.class_}), version {version.number}"
