"""Templates: the list, and one with its versions and where it is used; its category, its copy, its end."""

from __future__ import annotations

from typing import Any

from flask import Response, g
from marshmallow import fields
from sqlalchemy import select

from sms_service.accounts.actors import unit_path
from sms_service.accounts.permissions import Permission
from sms_service.audience.list_models import RecipientList
from sms_service.audience.listed import ROW, is_of_row
from sms_service.audience.reach import is_dotted
from sms_service.audience.recipient_lists import get_list
from sms_service.campaigns import overview, suggestions
from sms_service.campaigns.models import Campaign
from sms_service.console.forms import read_form, read_query
from sms_service.console.pages import act_view, go_to, page_view
from sms_service.console.rendering import name_here, render_page
from sms_service.console.texts import compose_in_general, describe_body
from sms_service.console.unit_choice import choose_unit
from sms_service.content import library
from sms_service.content.bindings import list_bindings
from sms_service.content.categories import find_categories
from sms_service.content.classes import UNSUBSCRIBE_LINE, class_rules
from sms_service.content.fields import examples_of, fields_of
from sms_service.content.lint import lint_template
from sms_service.content.lists import label_columns
from sms_service.content.models import Template, TemplateCategory, TemplateVersion
from sms_service.controls.models import Cap
from sms_service.directory.models import Unit
from sms_service.said import as_said
from sms_service.vocabulary import TextClass
from sms_service.web.paging import PageQuery, ScopedPageQuery, fetch_page, scope_filter
from sms_service.web.schemas import Id, In, OneLine
from sms_service.web.validators import OneOfWords

MOST_CATEGORIES = 100  # in a list to choose from
MOST_USES = 20  # campaigns named on a template's page
EXAMPLE = "云州先锋"  # the signature of a preview where the unit has sent nothing yet
_OF_PEOPLE = {"name": as_said("name"), "unit": as_said("unit"), "number": as_said("number")}


class TemplateFilter(ScopedPageQuery):
    """Which templates."""

    class_ = fields.String(data_key="class", load_default=None, validate=OneOfWords(list(TextClass)))
    category = Id(load_default=None)
    archived = fields.Boolean(load_default=False)


class OneTemplateQuery(PageQuery):
    """Where in its versions; `list`: to whose people it shall be sent."""

    list_ = Id(data_key="list", load_default=None)


class SortForm(In):
    """Its category; none where that is empty."""

    category_id = Id(load_default=None)


class CopyForm(In):
    """Who keeps the copy, under which name."""

    unit_id = Id(required=True)
    name = OneLine(library.LONGEST_NAME, required=True)


@page_view("/templates", Permission.read)
def list_templates() -> str:
    """The templates that can be used in one's units, by name."""
    query = read_query(TemplateFilter)
    scope = scope_filter(g.session, g.actor, Permission.read, query["unit"])
    statement = library.find_templates(
        scope.paths, class_=query["class_"], category_id=query["category"], archived=query["archived"]
    )
    rows, following = fetch_page(g.session, statement, query, sort="name", key=Template.name, id_=Template.id)
    named = select(Unit.id, Unit.name, Unit.path).where(Unit.id.in_({row.Template.unit_id for row in rows}))
    units = g.session.execute(named).all()
    dotted = {name for row in rows for name in row.TemplateVersion.variables if is_dotted(name)}
    labels = label_columns(g.session, "/".join(unit.path.strip("/") for unit in units), dotted)
    return render_page(
        "templates.html",
        rows=rows,
        units={row.id: row.name for row in units},
        following=following,
        query=query,
        scope=scope.units,
        categories=list_categories(scope.paths),
        pieces={
            row.Template.id: describe_body(row.TemplateVersion.id, row.TemplateVersion.body, labels) for row in rows
        },
        classes=list_classes(),
        choice=choose_unit(g.session, g.actor, Permission.read, query["unit"], top=True),
        may_write=bool(g.actor.scope(Permission.manage_templates)),
    )


@page_view("/templates/<int:template_id>", Permission.read)
def show_template(template_id: int) -> str:
    """Its newest text, what its class means, who uses it, and all versions."""
    query = read_query(OneTemplateQuery)
    template = library.get_template(g.session, g.actor, template_id)
    unit = g.session.get_one(Unit, template.unit_id)
    key = TemplateVersion.id
    versions, following = fetch_page(
        g.session, library.find_versions(template.id), query, sort="id", key=key, id_=key, descending=True
    )
    newest = (
        versions[0] if not query["cursor"] else library.get_numbered_version(g.session, g.actor, template_id, None)[1]
    )
    signature = suggest_signature(unit.path)
    used = overview.find_campaigns(g.actor.scope(Permission.read), template_id=template.id)
    used = used.order_by(Campaign.id.desc()).limit(MOST_USES + 1)
    campaigns = [overview.describe_campaign(row) for row in g.session.execute(used)]
    return render_page(
        "template.html",
        kept=template,
        newest=newest,
        unit=unit,
        fields=fields_of(newest),
        labels=label_columns(g.session, unit.path, newest.variables),
        findings=lint_template(g.session, template.class_, newest, unit.path, signature),
        categories=list_categories((unit.path,)),
        bindings=list_bindings(g.session, newest.id),
        source=g.session.get(Template, template.cloned_from) if template.cloned_from else None,
        may_copy=bool(g.actor.scope(Permission.manage_templates)),
        own=[word for name, word in _OF_PEOPLE.items() if name in newest.variables],
        of_row=[name.removeprefix(ROW) for name in newest.variables if is_of_row(name)],
        versions=[
            (one, compose_in_general(one.id, one.body, template.class_, signature, examples_of(one)))
            for one in versions
        ],
        following=following,
        listed=_find_fitting_list(query["list_"], newest) if not template.archived_at else None,
        campaigns=campaigns[:MOST_USES],
        more=len(campaigns) > MOST_USES,
        may_write=g.actor.can(Permission.manage_templates, unit.path),
        **describe_class(template.class_),
    )


def _find_fitting_list(list_id: int | None, version: TemplateVersion) -> RecipientList | None:
    """The list, where its columns fill the text and the visitor may write a campaign to it."""
    listed = get_list(g.session, g.actor, list_id) if list_id is not None else None
    if (
        listed is None
        or listed.is_over
        or not g.actor.can(Permission.edit_campaigns, unit_path(g.session, listed.unit_id))
    ):
        return None
    needed = {name.removeprefix(ROW) for name in version.variables if is_of_row(name)}
    return listed if needed <= set(listed.columns) else None


@act_view("/templates/<int:template_id>/archive", Permission.manage_templates)
def archive_one_template(template_id: int) -> Response:
    """Keep new campaigns from using it."""
    library.change_template(g.session, g.actor, template_id, archived=True)
    return go_to("console.show_template", said=as_said("The template is archived."), template_id=template_id)


@act_view("/templates/<int:template_id>/restore", Permission.manage_templates)
def restore_one_template(template_id: int) -> Response:
    """Let campaigns use it again."""
    library.change_template(g.session, g.actor, template_id, archived=False)
    return go_to("console.show_template", said=as_said("The template can be used again."), template_id=template_id)


@act_view("/templates/<int:template_id>/category", Permission.manage_templates, again=show_template)
def sort_one_template(template_id: int) -> Response:
    """Give it another category."""
    wanted = read_form(SortForm)["category_id"]
    library.change_template(g.session, g.actor, template_id, category_id=wanted, without_category=wanted is None)
    return go_to("console.show_template", said=as_said("The change is kept."), template_id=template_id)


@page_view("/templates/<int:template_id>/copy", Permission.manage_templates)
def show_copy(template_id: int) -> str:
    """The form for a copy of it."""
    template = library.get_template(g.session, g.actor, template_id)
    places = choose_unit(g.session, g.actor, Permission.manage_templates, None).options
    return render_page("template_copy.html", kept=template, places=places)


@act_view("/templates/<int:template_id>/copy", Permission.manage_templates, again=show_copy)
def copy_one_template(template_id: int) -> Response:
    """Copy its newest version as a template of one's own."""
    form = read_form(CopyForm)
    made, _ = library.clone_template(g.session, g.actor, template_id, form["unit_id"], form["name"])
    return go_to(
        "console.show_template", said=as_said("This is your copy; change it as you like."), template_id=made.id
    )


def describe_class(class_: str) -> dict[str, Any]:
    """What a class means for its texts: its name, the line that ends them, and how many a phone gets on a day."""
    cap = g.session.get(Cap, class_)
    line = UNSUBSCRIBE_LINE if class_rules(class_).unsubscribe_line else None
    return {"class_name": name_here(TextClass(class_)), "stop_line": line, "cap": cap and cap.per_day}


def list_categories(paths: tuple[str, ...]) -> list[tuple[int, str]]:
    """The categories that can be used there, by name."""
    named = find_categories(paths).order_by(TemplateCategory.name, TemplateCategory.id).limit(MOST_CATEGORIES)
    return [(row.TemplateCategory.id, row.TemplateCategory.name) for row in g.session.execute(named)]


def list_classes() -> list[tuple[str, str]]:
    """All classes with their names, to choose from."""
    return [(str(one), name_here(one)) for one in TextClass]


def suggest_signature(path: str) -> str:
    """The signature that texts of the unit at `path` have had, or an example."""
    return next(iter(suggestions.list_signatures(g.session, path)), EXAMPLE) if path else EXAMPLE
