"""Templates: the list, one with its versions and where it is used, a new one and a new version."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flask import Response, g, make_response, request
from marshmallow import fields
from sqlalchemy import select

from sms_service.accounts.actors import unit_path
from sms_service.accounts.permissions import Permission
from sms_service.campaigns import overview, suggestions
from sms_service.campaigns.models import Campaign
from sms_service.console.forms import read_form, read_named, read_query
from sms_service.console.pages import act_view, go_to, page_view
from sms_service.console.people import search_people
from sms_service.console.rendering import name_here, render_page
from sms_service.console.texts import VALUE, compose_in_general, describe_body, fill_in_general, find_own
from sms_service.console.unit_choice import choose_unit
from sms_service.content import library
from sms_service.content.categories import find_categories
from sms_service.content.classes import UNSUBSCRIBE_LINE, class_rules
from sms_service.content.compose import check_beginning, check_signature
from sms_service.content.fields import FieldKind, TemplateField, describe_fields, examples_of, fields_of
from sms_service.content.language import CompiledTemplate, compile_template
from sms_service.content.lint import lint_template
from sms_service.content.models import Template, TemplateCategory, TemplateVersion
from sms_service.controls.models import Cap
from sms_service.directory.models import Unit
from sms_service.errors import Invalid
from sms_service.said import as_said, say
from sms_service.vocabulary import TextClass
from sms_service.web.paging import PageQuery, ScopedPageQuery, fetch_page, scope_filter
from sms_service.web.problems import InvalidRequest, find_problem
from sms_service.web.schemas import Id, In, OneLine
from sms_service.web.validators import OneOfWords

MOST_CATEGORIES = 100  # in a list to choose from
MOST_USES = 20  # campaigns named on a template's page
MOST_TRIED = 10  # people offered for a preview
FIELD = "fields."  # before the names of the inputs that describe a variable: fields.label.时间
_OF_PEOPLE = {"name": as_said("name"), "unit": as_said("unit"), "number": as_said("number")}
_PARTS = ("place", "label", "hint", "example", "kind")
EXAMPLE = "云州先锋"  # the signature of a preview where the unit has sent nothing yet


class TemplateFilter(ScopedPageQuery):
    """Which templates."""

    class_ = fields.String(data_key="class", load_default=None, validate=OneOfWords(list(TextClass)))
    category = Id(load_default=None)
    archived = fields.Boolean(load_default=False)


class SortForm(In):
    """Its category; none where that is empty."""

    category_id = Id(load_default=None)


class CopyForm(In):
    """Who keeps the copy, under which name."""

    unit_id = Id(required=True)
    name = OneLine(library.LONGEST_NAME, required=True)


class TemplateForm(In):
    """A new template; the fields of its preview are not kept."""

    unit_id = Id(required=True)
    name = OneLine(library.LONGEST_NAME, required=True)
    class_ = fields.String(data_key="class", required=True, validate=OneOfWords(list(TextClass)))
    category_id = Id(load_default=None)
    body = fields.String(required=True)
    signature = fields.String()
    wanted = fields.String()
    person = fields.String()


class WordingForm(In):
    """A new wording; the fields of its preview are not kept."""

    body = fields.String(required=True)
    signature = fields.String()
    wanted = fields.String()
    person = fields.String()


@page_view("/templates", Permission.read)
def list_templates() -> str:
    """The templates that can be used in one's units, by name."""
    query = read_query(TemplateFilter)
    scope = scope_filter(g.session, g.actor, Permission.read, query["unit"])
    statement = library.find_templates(
        scope.paths, class_=query["class_"], category_id=query["category"], archived=query["archived"]
    )
    rows, following = fetch_page(g.session, statement, query, sort="name", key=Template.name, id_=Template.id)
    named = select(Unit.id, Unit.name).where(Unit.id.in_({row.Template.unit_id for row in rows}))
    return render_page(
        "templates.html",
        rows=rows,
        units={row.id: row.name for row in g.session.execute(named)},
        following=following,
        query=query,
        scope=scope.units,
        categories=_categories(scope.paths),
        pieces={row.Template.id: describe_body(row.TemplateVersion.id, row.TemplateVersion.body) for row in rows},
        classes=_classes(),
        choice=choose_unit(g.session, g.actor, Permission.read, query["unit"], top=True),
        may_write=bool(g.actor.scope(Permission.manage_templates)),
    )


@page_view("/templates/<int:template_id>", Permission.read)
def show_template(template_id: int) -> str:
    """Its newest text, what its class means, who uses it, and all versions."""
    query = read_query(PageQuery)
    template = library.get_template(g.session, g.actor, template_id)
    unit = g.session.get_one(Unit, template.unit_id)
    key = TemplateVersion.id
    versions, following = fetch_page(
        g.session, library.find_versions(template.id), query, sort="id", key=key, id_=key, descending=True
    )
    newest = (
        versions[0] if not query["cursor"] else library.get_numbered_version(g.session, g.actor, template_id, None)[1]
    )
    signature = _signature(unit.path)
    used = overview.find_campaigns(g.actor.scope(Permission.read), template_id=template.id)
    used = used.order_by(Campaign.id.desc()).limit(MOST_USES + 1)
    campaigns = [overview.describe_campaign(row) for row in g.session.execute(used)]
    return render_page(
        "template.html",
        kept=template,
        newest=newest,
        unit=unit,
        fields=fields_of(newest),
        findings=lint_template(g.session, template.class_, newest, unit.path, signature),
        categories=_categories((unit.path,)),
        source=g.session.get(Template, template.cloned_from) if template.cloned_from else None,
        may_copy=bool(g.actor.scope(Permission.manage_templates)),
        own=[word for name, word in _OF_PEOPLE.items() if name in newest.variables],
        versions=[
            (one, compose_in_general(one.id, one.body, template.class_, signature, examples_of(one)))
            for one in versions
        ],
        following=following,
        campaigns=campaigns[:MOST_USES],
        more=len(campaigns) > MOST_USES,
        may_write=g.actor.can(Permission.manage_templates, unit.path),
        **_describe_class(template.class_),
    )


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


@page_view("/templates/new", Permission.manage_templates, methods=("GET", "POST"))
def show_new_template() -> Response:
    """The form for a new template, and what its text will look like."""
    place = choose_unit(g.session, g.actor, Permission.manage_templates, None)
    options = place.options
    unit_id = _number(request.form.get("unit_id")) or (options[0][0] if options else None)
    path = unit_path(g.session, unit_id) if unit_id is not None else ""
    class_ = request.form.get("class", TextClass.study)
    return _show_form(
        "template_new.html", class_, path, "", (), options=options, classes=_classes(), categories=_categories((path,))
    )


@act_view("/templates/new/keep", Permission.manage_templates, again=show_new_template)
def write_template() -> Response:
    """Keep it, as version 1."""
    form = read_form(TemplateForm, apart=(VALUE, FIELD))
    body = _plain(form["body"])
    described = _read_fields(compile_template(body), body, ())
    template, _ = library.create_template(
        g.session, g.actor, form["unit_id"], form["name"], form["class_"], body, described, form["category_id"]
    )
    return go_to("console.show_template", said=as_said("The template is kept."), template_id=template.id)


@page_view("/templates/<int:template_id>/new-version", Permission.manage_templates, methods=("GET", "POST"))
def show_new_version(template_id: int) -> Response:
    """The form with the newest wording, and what the text will look like."""
    template, newest = library.get_numbered_version(g.session, g.actor, template_id, None)
    path = unit_path(g.session, template.unit_id)
    g.actor.require(Permission.manage_templates, path)
    fields = fields_of(newest)
    return _show_form("template_version.html", template.class_, path, newest.body, fields, kept=template, newest=newest)


@act_view("/templates/<int:template_id>/versions", Permission.manage_templates, again=show_new_version)
def write_version(template_id: int) -> Response:
    """Keep the wording as the next version; the old ones stay."""
    body = _plain(read_form(WordingForm, apart=(VALUE, FIELD))["body"])
    _, newest = library.get_numbered_version(g.session, g.actor, template_id, None)
    described = _read_fields(compile_template(body), body, fields_of(newest))
    version = library.add_version(g.session, g.actor, template_id, body, described)
    said = say("This is version {number}. Campaigns that use an older one keep it.", number=version.number)
    return go_to("console.show_template", said=said, template_id=template_id)


def _show_form(page: str, class_: str, path: str, body: str, known: Sequence[TemplateField], **values: Any) -> Response:
    """The form with the text as it will look; with a message at the field where there can be none."""
    posted = request.method == "POST"
    if posted:
        g.submitted = request.form
    wanted = request.form.get("wanted", "").strip()
    people = search_people(wanted, MOST_TRIED) if wanted else []
    text, described = None, list[TemplateField]()
    shown_body = _plain(request.form.get("body", "")) if posted else body
    signature = request.form.get("signature", "").strip() if posted else _signature(path)
    try:
        class_rules(class_)
        compiled = (
            compile_template(_plain(request.form.get("body", "")) if posted else body) if posted or body else None
        )
        if compiled is not None:
            described = _read_fields(compiled, shown_body, known)
            check_signature(signature)
            check_beginning(shown_body, signature)
            ids = [str(row.Person.id) for row in people]
            chosen = request.form.get("person", "")
            own = find_own([chosen] if chosen in ids else ids)
            examples = {one.name: one.example for one in described if one.example}
            text = fill_in_general(compiled, class_, signature, examples | read_named(VALUE), own)
    except (Invalid, InvalidRequest) as error:
        g.form_errors = g.get("form_errors") or find_problem(error).errors
    shown = render_page(
        page,
        text=text,
        described=described,
        kinds=[(str(kind), name_here(kind)) for kind in FieldKind],
        people=[(row.Person.id, f"{row.Person.name} · {row.unit}") for row in people],
        nobody=bool(wanted) and not people,
        signature=signature,
        body=body,
        **_describe_class(class_ if class_ in list(TextClass) else TextClass.study),
        **values,
    )
    return make_response(shown, 422 if g.get("form_errors") else 200)


def _read_fields(compiled: CompiledTemplate, body: str, known: Sequence[TemplateField]) -> list[TemplateField]:
    """The body's fields as the form has them, in the order of the numbers before them; `known`: those of before."""
    given = read_named(FIELD)
    made = []
    for number, one in enumerate(describe_fields(compiled, body, known)):
        if f"label.{one.name}" in given:
            parts = {part: given.get(f"{part}.{one.name}", "") for part in _PARTS}
            kind = FieldKind(parts["kind"]) if parts["kind"] in list(FieldKind) else FieldKind.text
            place = int(parts["place"]) if parts["place"].isdecimal() and len(parts["place"]) < 5 else number + 1
            one = TemplateField(one.name, parts["label"], parts["hint"], parts["example"], kind)
        else:
            place = number + 1
        made.append((place, number, one))
    return [one for _, _, one in sorted(made, key=lambda entry: entry[:2])]


def _describe_class(class_: str) -> dict[str, Any]:
    cap = g.session.get(Cap, class_)
    line = UNSUBSCRIBE_LINE if class_rules(class_).unsubscribe_line else None
    return {"class_name": name_here(TextClass(class_)), "stop_line": line, "cap": cap and cap.per_day}


def _categories(paths: tuple[str, ...]) -> list[tuple[int, str]]:
    """The categories that can be used there, by name."""
    named = find_categories(paths).order_by(TemplateCategory.name, TemplateCategory.id).limit(MOST_CATEGORIES)
    return [(row.TemplateCategory.id, row.TemplateCategory.name) for row in g.session.execute(named)]


def _classes() -> list[tuple[str, str]]:
    return [(str(one), name_here(one)) for one in TextClass]


def _signature(path: str) -> str:
    return next(iter(suggestions.list_signatures(g.session, path)), EXAMPLE) if path else EXAMPLE


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isdecimal() and len(text) < 19 else None


def _plain(body: str) -> str:
    """The text with the line breaks that templates have: a browser sends two characters for each."""
    return body.replace("\r\n", "\n")
