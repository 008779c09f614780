"""Templates: a new one, and a new version, with what the text will look like."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from flask import Response, g, make_response, request
from marshmallow import fields

from sms_service.accounts.actors import unit_path
from sms_service.accounts.permissions import Permission
from sms_service.audience.list_models import RecipientList
from sms_service.audience.listed import ROW, is_of_row
from sms_service.audience.reach import is_dotted
from sms_service.audience.recipient_lists import get_list
from sms_service.console.forms import read_form, read_named, read_query
from sms_service.console.pages import act_view, go_to, page_view
from sms_service.console.people import search_people
from sms_service.console.rendering import name_here, render_page
from sms_service.console.template_list import describe_class, list_categories, list_classes, suggest_signature
from sms_service.console.texts import VALUE, fill_in_general, find_own
from sms_service.console.trying import show_tried, try_text
from sms_service.console.unit_choice import choose_unit
from sms_service.content import library
from sms_service.content.classes import class_rules
from sms_service.content.compose import Composed, check_beginning, check_signature
from sms_service.content.fields import FieldKind, TemplateField, describe_fields, fields_of
from sms_service.content.grammar import narrow_braces
from sms_service.content.language import CompiledTemplate, compile_template
from sms_service.content.lists import columns_of, usable_lists
from sms_service.errors import Invalid
from sms_service.own_texts.trying import SelfTest
from sms_service.said import Said, as_said, say
from sms_service.vocabulary import TextClass
from sms_service.web.problems import InvalidRequest, find_problem
from sms_service.web.schemas import Id, In, OneLine
from sms_service.web.validators import OneOfWords

MOST_TRIED = 10  # people offered for a preview
FIELD = "fields."  # before the names of the inputs that describe a variable: fields.label.时间
_PARTS = ("place", "label", "hint", "example", "kind")


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


class NewTemplateQuery(In):
    """For the people on which list it is; its columns are offered for the text."""

    list_ = Id(data_key="list", load_default=None)


@page_view("/templates/new", Permission.manage_templates, methods=("GET", "POST"))
def show_new_template() -> Response:
    """The form for a new template, and what its text will look like; for a list, with its columns."""
    listed = _find_list()
    options = choose_unit(g.session, g.actor, Permission.manage_templates, None).options
    first = listed.unit_id if listed and listed.unit_id in dict(options) else options[0][0] if options else None
    unit_id = _number(request.form.get("unit_id")) or first
    path = unit_path(g.session, unit_id) if unit_id is not None else ""
    usual = TextClass.notice if listed else TextClass.study
    return _show_form(
        "template_new.html",
        request.form.get("class", usual),
        path,
        "",
        (),
        options=options,
        first=first,
        usual=usual,
        classes=list_classes(),
        categories=list_categories((path,)),
        listed=listed,
        offered=["name", *(f"{ROW}{column}" for column in listed.columns)] if listed else [],
    )


def _find_list() -> RecipientList | None:
    """The list for whose people a text is written. Raises NotFound or Forbidden."""
    list_id = read_query(NewTemplateQuery)["list_"]
    return get_list(g.session, g.actor, list_id) if list_id is not None else None


@act_view("/templates/new/keep", Permission.manage_templates, again=show_new_template)
def write_template() -> Response:
    """Keep it, as version 1."""
    form = read_form(TemplateForm, apart=(VALUE, FIELD))
    body = _plain(form["body"])
    described = _read_fields(compile_template(body), body, ())
    template, _ = library.create_template(
        g.session, g.actor, form["unit_id"], form["name"], form["class_"], body, described, form["category_id"]
    )
    listed = _find_list()
    at = {"template_id": template.id} | ({"list": listed.id} if listed else {})
    return go_to("console.show_template", said=as_said("The template is kept."), **at)


@act_view("/templates/new/try", Permission.manage_templates, again=show_new_template)
def try_new_template() -> Response:
    """Send the text as it stands to oneself; nothing is kept."""
    unit_id = _number(request.form.get("unit_id"))
    if unit_id is None:
        raise Invalid("unit_id", None, "is missing")
    class_ = request.form.get("class", "")
    page = show_new_template.__wrapped__  # type: ignore[attr-defined]
    listed = _find_list()
    at = {"list": listed.id} if listed else {}
    return show_tried(page, lambda: _send(unit_id, class_, ()), "console.show_new_template", **at)


@page_view("/templates/<int:template_id>/new-version", Permission.manage_templates, methods=("GET", "POST"))
def show_new_version(template_id: int) -> Response:
    """The form with the newest wording, and what the text will look like."""
    template, newest = library.get_numbered_version(g.session, g.actor, template_id, None)
    path = unit_path(g.session, template.unit_id)
    g.actor.require(Permission.manage_templates, path)
    fields = fields_of(newest)
    offered = [name for name in newest.variables if is_of_row(name)]
    values: dict[str, Any] = {"kept": template, "newest": newest, "offered": offered}
    return _show_form("template_version.html", template.class_, path, newest.body, fields, **values)


@act_view("/templates/<int:template_id>/new-version/try", Permission.manage_templates, again=show_new_version)
def try_new_version(template_id: int) -> Response:
    """The same of a new wording."""
    template, newest = library.get_numbered_version(g.session, g.actor, template_id, None)
    return show_tried(
        lambda: show_new_version.__wrapped__(template_id),  # type: ignore[attr-defined]
        lambda: _send(template.unit_id, template.class_, fields_of(newest)),
        "console.show_new_version",
        template_id=template_id,
    )


@act_view("/templates/<int:template_id>/versions", Permission.manage_templates, again=show_new_version)
def write_version(template_id: int) -> Response:
    """Keep the wording as the next version; the old ones stay."""
    body = _plain(read_form(WordingForm, apart=(VALUE, FIELD))["body"])
    _, newest = library.get_numbered_version(g.session, g.actor, template_id, None)
    described = _read_fields(compile_template(body), body, fields_of(newest))
    version = library.add_version(g.session, g.actor, template_id, body, described)
    said = say("This is version {number}. Campaigns that use an older one keep it.", number=version.number)
    return go_to("console.show_template", said=said, template_id=template_id)


class _Look(NamedTuple):
    """A text as it stands in the form: what it looks like, None where there is none or a field is at fault."""

    text: Composed | Said | None
    described: Sequence[TemplateField]
    people: Sequence[Any]  # who was searched for
    person_id: int | None  # for whom the text is made
    signature: str


def _look(class_: str, path: str, body: str, known: Sequence[TemplateField]) -> _Look:
    """What was written; where there can be no text, the form's messages say why."""
    posted = request.method == "POST"
    wanted = request.form.get("wanted", "").strip()
    people = search_people(wanted, MOST_TRIED) if wanted else []
    text, described = None, list[TemplateField]()
    shown_body = _plain(request.form.get("body", "")) if posted else body
    signature = request.form.get("signature", "").strip() if posted else suggest_signature(path)
    ids = [str(row.Person.id) for row in people]
    chosen = request.form.get("person", "")
    tried = [chosen] if chosen in ids else ids[:1]
    try:
        class_rules(class_)
        compiled = compile_template(shown_body) if posted or body else None
        if compiled is not None:
            described = _read_fields(compiled, shown_body, known)
            check_signature(signature)
            check_beginning(shown_body, signature)
            examples = {one.name: one.example for one in described if one.example}
            values = examples | read_named(VALUE)
            text = fill_in_general(compiled, class_, signature, values, find_own(tried), path)
    except (Invalid, InvalidRequest) as error:
        g.form_errors = g.get("form_errors") or find_problem(error).errors
    return _Look(text, described, people, int(tried[0]) if tried else None, signature)


def _show_form(page: str, class_: str, path: str, body: str, known: Sequence[TemplateField], **values: Any) -> Response:
    """The form with the text as it will look; with a message at the field where there can be none."""
    if request.method == "POST":
        g.submitted = g.get("submitted", request.form)
    look = _look(class_, path, body, known)
    shown = render_page(
        page,
        text=look.text,
        described=look.described,
        kinds=[(str(kind), name_here(kind)) for kind in FieldKind],
        people=[(row.Person.id, f"{row.Person.name} · {row.unit}") for row in look.people],
        lists=list(usable_lists(g.session, path).values()) if path else [],
        columns_of=columns_of,
        from_lists={one.name for one in look.described if is_dotted(one.name)},
        nobody=bool(request.form.get("wanted", "").strip()) and not look.people,
        signature=look.signature,
        body=body,
        **describe_class(class_ if class_ in list(TextClass) else TextClass.study),
        **values,
    )
    return make_response(shown, 422 if g.get("form_errors") else 200)


def _send(unit_id: int, class_: str, known: Sequence[TemplateField]) -> SelfTest | None:
    """Send the text as it stands in the form to oneself; None where there is none, and the form says why."""
    look = _look(class_, unit_path(g.session, unit_id), "", known)
    if isinstance(look.text, Composed):
        return try_text(unit_id, class_, look.signature, look.text, look.person_id)
    return None


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


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isdecimal() and len(text) < 19 else None


def _plain(body: str) -> str:
    """The text with the line breaks and braces that templates have: a browser sends two characters for each break."""
    return narrow_braces(body.replace("\r\n", "\n"))
