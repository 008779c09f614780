"""`/templates`: the texts that units keep, their versions, and what they will look like."""

from __future__ import annotations

from typing import Any

from flask import g
from flask.views import MethodView
from marshmallow import fields

from sms_service.accounts.permissions import Permission
from sms_service.api.authentication import endpoint
from sms_service.api.blueprint import Blueprint
from sms_service.content import library
from sms_service.content.fields import LONGEST_LABEL, FieldKind, TemplateField, fields_of, read_field
from sms_service.content.models import Template, TemplateVersion
from sms_service.content.values import LONGEST_NAME, MOST_VALUES
from sms_service.directory.models import Unit
from sms_service.vocabulary import TextClass
from sms_service.web.paging import PageQuery, ScopedPageQuery, fetch_page, scope_filter
from sms_service.web.schemas import Id, In, OneLine, Out, list_of
from sms_service.web.validators import ListLength, OneOfWords

blueprint = Blueprint(
    "templates",
    description="Texts with variables, kept by a unit in versions that never change. "
    "They may be used on the unit, below it and above it.",
)

CLASS = "What kind of text it is; study, invitation and survey end with how to unsubscribe"
BODY = (
    "The text, at most 2,000 characters: {{ name }}, {% if %}, {% for one in list %}, comparisons and the filters of "
    "docs/templates.md. Of each recipient it may use name, unit, number and the attributes"
)
_FIELDS = "What forms ask for, in their order: each variable that no recipient has by themselves"


class TemplateQuery(ScopedPageQuery):
    """Filters; all that are given must hold."""

    class_ = fields.String(
        data_key="class",
        load_default=None,
        validate=OneOfWords(list(TextClass)),
        metadata={"description": "Only templates of this class"},
    )
    category = Id(load_default=None, metadata={"description": "Only templates of this category"})
    archived = fields.Boolean(load_default=False, metadata={"description": "Those that are archived instead"})


class FieldIn(In):
    """How a form asks for a variable."""

    name = OneLine(LONGEST_NAME, required=True, metadata={"description": "The variable, as the text names it"})
    label = OneLine(LONGEST_LABEL, metadata={"description": "What stands before the field; by default the name"})
    hint = fields.String(load_default="", metadata={"description": "What helps to fill it, at most 200 characters"})
    example = fields.String(load_default="", metadata={"description": "A value of the field's kind"})
    kind = fields.String(
        load_default=FieldKind.text,
        validate=OneOfWords(list(FieldKind)),
        metadata={"description": "What a value must be; `moment` is a date with a time"},
    )


class FieldOut(Out):
    """How a form asks for a variable."""

    name = fields.String(metadata={"description": "The variable, as the text names it"})
    label = fields.String(metadata={"description": "What stands before the field"})
    hint = fields.String(metadata={"description": "What helps to fill it; may be empty"})
    example = fields.String(metadata={"description": "A value; may be empty"})
    kind = fields.String(metadata={"description": "What a value must be; `moment` is a date with a time"})


class _FieldsOfVersion(fields.List[Any]):
    """What a version asks for, also one that was saved before its fields were kept."""

    def get_value(self, obj: Any, attr: str, accessor: Any = None, default: Any = None) -> Any:
        return fields_of(obj)


class TemplateIn(In):
    """A new template and its first wording."""

    unit_id = Id(required=True, metadata={"description": "The unit that keeps it"})
    name = OneLine(library.LONGEST_NAME, required=True, metadata={"description": "Its name, unique in the unit"})
    class_ = fields.String(
        data_key="class", required=True, validate=OneOfWords(list(TextClass)), metadata={"description": CLASS}
    )
    body = fields.String(required=True, metadata={"description": BODY})
    category_id = Id(load_default=None, metadata={"description": "Its category: of the unit or of one above it"})
    described = fields.List(
        fields.Nested(FieldIn),
        data_key="fields",
        load_default=list,
        validate=ListLength(0, MOST_VALUES),
        metadata={"description": f"{_FIELDS}; those that are left out follow, labelled by their names"},
    )


class VersionIn(In):
    """A new wording of a template."""

    body = fields.String(required=True, metadata={"description": BODY})
    described = fields.List(
        fields.Nested(FieldIn),
        data_key="fields",
        load_default=None,
        validate=ListLength(0, MOST_VALUES),
        metadata={"description": f"{_FIELDS}; by default the newest version's, for the variables that are still there"},
    )


class VersionListed(Out):
    """One wording of a template, which never changes, as lists show it: without the text."""

    id = fields.Integer(metadata={"description": "The version's id, by which campaigns name it"})
    template_id = fields.Integer(metadata={"description": "The template's id"})
    number = fields.Integer(metadata={"description": "1 for the first wording, and so on"})
    variables = fields.List(fields.String(), metadata={"description": "The names of its variables, sorted"})
    described = _FieldsOfVersion(fields.Nested(FieldOut), data_key="fields", metadata={"description": _FIELDS})
    created_by = fields.Integer(allow_none=True, metadata={"description": "The account; null: the service itself"})
    created_at = fields.AwareDateTime(metadata={"description": "When it was saved"})


class VersionOut(VersionListed):
    """One wording of a template; it never changes."""

    body = fields.String(metadata={"description": "The text with its variables"})


class TemplateListed(Out):
    """A template as lists show it: of its newest wording all but the text, which `GET /templates/{id}` has."""

    id = fields.Integer(metadata={"description": "The template's id"})
    unit_id = fields.Integer(metadata={"description": "The unit that keeps it"})
    name = fields.String(metadata={"description": "Its name, unique in the unit"})
    class_ = fields.String(data_key="class", metadata={"description": CLASS})
    category_id = fields.Integer(allow_none=True, metadata={"description": "Its category"})
    archived_at = fields.AwareDateTime(
        allow_none=True, metadata={"description": "Since when no new campaign may use it; null: it may be used"}
    )
    cloned_from = fields.Integer(allow_none=True, metadata={"description": "The template of which it is a copy"})
    created_by = fields.Integer(allow_none=True, metadata={"description": "The account; null: the service itself"})
    created_at = fields.AwareDateTime(metadata={"description": "When it was made"})
    version = fields.Nested(VersionListed, metadata={"description": "Its newest version"})


class TemplateOut(TemplateListed):
    """A template and its newest wording."""

    version = fields.Nested(VersionOut, metadata={"description": "Its newest version"})


class TemplateChangeIn(In):
    """What changes about a template; its wording changes by a new version."""

    archived = fields.Boolean(
        metadata={"description": "No new campaign may use an archived one, and lists leave it out"}
    )
    category_id = Id(allow_none=True, metadata={"description": "Its category; null: none"})


class CloneIn(In):
    """A copy of a template, for a unit to change."""

    unit_id = Id(required=True, metadata={"description": "The unit that keeps the copy"})
    name = OneLine(library.LONGEST_NAME, required=True, metadata={"description": "Its name, unique in the unit"})


@blueprint.route("/templates")
class Templates(MethodView):
    """The templates."""

    @endpoint(Permission.read)
    @blueprint.arguments(TemplateQuery, location="query")
    @blueprint.response(200, list_of(TemplateListed, "TemplateList"))
    def get(self, query: dict[str, Any]) -> dict[str, Any]:
        """List the templates that may be used in the scope, by name: its units' own and those of the units above"""
        scope = scope_filter(g.session, g.actor, Permission.read, query["unit"])
        statement = library.find_templates(
            scope.paths, class_=query["class_"], category_id=query["category"], archived=query["archived"]
        )
        rows, following = fetch_page(g.session, statement, query, sort="name", key=Template.name, id_=Template.id)
        return scope.answer([_with_version(row.Template, row.TemplateVersion) for row in rows], following)

    @endpoint(Permission.manage_templates)
    @blueprint.arguments(TemplateIn)
    @blueprint.response(201, TemplateOut)
    def post(self, body: dict[str, Any]) -> dict[str, Any]:
        """Make a template with its first version"""
        made = library.create_template(
            g.session,
            g.actor,
            body["unit_id"],
            body["name"],
            body["class_"],
            body["body"],
            [_field(one) for one in body["described"]],
            body["category_id"],
        )
        return _with_version(*made)


@blueprint.route("/templates/<int:template_id>")
class OneTemplate(MethodView):
    """One template."""

    @endpoint(Permission.read)
    @blueprint.response(200, TemplateOut)
    def get(self, template_id: int) -> dict[str, Any]:
        """Show a template and its newest version"""
        return _with_version(*library.get_numbered_version(g.session, g.actor, template_id, None))

    @endpoint(Permission.manage_templates)
    @blueprint.arguments(TemplateChangeIn)
    @blueprint.response(200, TemplateOut)
    def patch(self, body: dict[str, Any], template_id: int) -> dict[str, Any]:
        """Archive a template or bring it back, or give it another category"""
        given = dict(body)
        given["without_category"] = "category_id" in given and given["category_id"] is None
        library.change_template(g.session, g.actor, template_id, **given)
        return _with_version(*library.get_numbered_version(g.session, g.actor, template_id, None))


@blueprint.route("/templates/<int:template_id>/clone")
class Clone(MethodView):
    """A copy of a template."""

    @endpoint(Permission.manage_templates)
    @blueprint.arguments(CloneIn)
    @blueprint.response(201, TemplateOut)
    def post(self, body: dict[str, Any], template_id: int) -> dict[str, Any]:
        """Copy the newest version as a new template of a unit"""
        return _with_version(*library.clone_template(g.session, g.actor, template_id, body["unit_id"], body["name"]))


@blueprint.route("/templates/<int:template_id>/versions")
class Versions(MethodView):
    """A template's versions."""

    @endpoint(Permission.read)
    @blueprint.arguments(PageQuery, location="query")
    @blueprint.response(200, list_of(VersionOut, "TemplateVersionList"))
    def get(self, query: dict[str, Any], template_id: int) -> dict[str, Any]:
        """List a template's versions, newest first; the scope is the unit that keeps it"""
        template = library.get_template(g.session, g.actor, template_id)
        items, following = fetch_page(
            g.session,
            library.find_versions(template.id),
            query,
            sort="id",
            key=TemplateVersion.id,
            id_=TemplateVersion.id,
            descending=True,
        )
        return {"scope": [g.session.get_one(Unit, template.unit_id)], "items": items, "next": following}

    @endpoint(Permission.manage_templates)
    @blueprint.arguments(VersionIn)
    @blueprint.response(201, VersionOut)
    def post(self, body: dict[str, Any], template_id: int) -> TemplateVersion:
        """Add a version; one equal to the newest version adds nothing and answers that one"""
        given = body["described"]
        described = None if given is None else [_field(one) for one in given]
        return library.add_version(g.session, g.actor, template_id, body["body"], described)


def _field(given: dict[str, Any]) -> TemplateField:
    return read_field({"label": given["name"], **given})


def _with_version(template: Template, version: TemplateVersion) -> dict[str, Any]:
    names = ("id", "unit_id", "name", "class_", "category_id", "archived_at", "cloned_from", "created_by", "created_at")
    return {**{name: getattr(template, name) for name in names}, "version": version}
