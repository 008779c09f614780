"""`/templates`: the texts that units keep, their versions, and what they will look like."""

from __future__ import annotations

from typing import Any

from flask import g
from flask.views import MethodView
from marshmallow import fields, validate

from sms_service.accounts.permissions import Permission
from sms_service.api.authentication import endpoint
from sms_service.api.blueprint import Blueprint
from sms_service.content import categories, library
from sms_service.content.fields import LONGEST_LABEL, FieldKind, TemplateField, check_kinds, fields_of, read_field
from sms_service.content.models import Template, TemplateCategory, TemplateVersion
from sms_service.content.preview import preview_text
from sms_service.content.values import LONGEST_NAME, MOST_VALUES
from sms_service.directory.models import Unit
from sms_service.vocabulary import TextClass
from sms_service.web.paging import PageQuery, ScopedPageQuery, fetch_page, scope_filter
from sms_service.web.schemas import Id, In, MaskedText, OneLine, Out, Whole, list_of
from sms_service.web.validators import ListLength, OneOfWords

blueprint = Blueprint(
    "templates",
    description="Texts with variables, kept by a unit in versions that never change. "
    "They may be used on the unit, below it and above it.",
)

_CLASS = "What kind of text it is; study, invitation and survey end with how to unsubscribe"
_BODY = (
    "The text, at most 2,000 characters: {{ name }}, {% if %}, {% for one in list %}, comparisons and the filters of "
    "docs/templates.md. Of each recipient it may use name, unit, number and the attributes"
)
_FIELDS = "What forms ask for, in their order: each variable that no recipient has by themselves"
_LARGEST_SAMPLE = 100


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
        data_key="class", required=True, validate=OneOfWords(list(TextClass)), metadata={"description": _CLASS}
    )
    body = fields.String(required=True, metadata={"description": _BODY})
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

    body = fields.String(required=True, metadata={"description": _BODY})
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
    class_ = fields.String(data_key="class", metadata={"description": _CLASS})
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


class CategoryIn(In):
    """A new category."""

    unit_id = Id(required=True, metadata={"description": "The unit whose category it is"})
    name = OneLine(categories.LONGEST_NAME, required=True, metadata={"description": "Its name, unique in the unit"})


class CategoryOut(Out):
    """A category of templates, usable throughout its unit's subtree."""

    id = fields.Integer(metadata={"description": "The category's id"})
    unit_id = fields.Integer(metadata={"description": "The unit whose category it is"})
    name = fields.String(metadata={"description": "Its name"})


class PreviewIn(In):
    """What to fill in."""

    signature = fields.String(
        required=True,
        metadata={"description": "Stands in front as 【signature】: 2 to 16 characters, written without brackets"},
    )
    values = fields.Dict(
        keys=fields.String(),
        values=fields.Raw(),
        load_default=dict,
        metadata={"description": "The campaign's values, the same for all: texts, numbers or lists by variable"},
    )
    unit_id = Id(
        load_default=None,
        metadata={
            "description": "Look for the people with the shortest and the longest values in this unit's subtree; "
            "by default in everything that the caller may read"
        },
    )
    recipients = fields.List(
        fields.Dict(keys=fields.String(), values=fields.Raw()),
        load_default=None,
        validate=ListLength(1, _LARGEST_SAMPLE),
        metadata={"description": "Instead of people: the own values of each recipient to render"},
    )


class SavedPreviewIn(PreviewIn):
    """What to fill into which version."""

    version = Whole(
        load_default=None,
        validate=validate.Range(1, 2**15 - 1, error="must be the number of a version, from 1"),
        metadata={"description": "The version's number; by default the newest"},
    )


class UnsavedPreviewIn(PreviewIn):
    """What to fill into a text that is not saved yet."""

    class_ = fields.String(
        data_key="class", required=True, validate=OneOfWords(list(TextClass)), metadata={"description": _CLASS}
    )
    body = fields.String(required=True, metadata={"description": _BODY})


class TextOut(Out):
    """A whole text as it would be sent."""

    text = MaskedText(metadata={"description": "With signature and unsubscribe line; phone numbers in it are masked"})
    encoding = fields.String(metadata={"description": "`GSM-7` or `UCS-2`"})
    units = fields.Integer(metadata={"description": "Its length in septets (GSM-7) or UTF-16 code units (UCS-2)"})
    parts = fields.Integer(metadata={"description": "How many SMS it takes"})


class PreviewOut(Out):
    """The shortest and the longest text."""

    variables = fields.List(fields.String(), metadata={"description": "All variables, sorted"})
    required = fields.List(
        fields.String(), metadata={"description": "Those that are used somewhere without a default, sorted"}
    )
    shortest = fields.Nested(TextOut, metadata={"description": "The text that takes the fewest parts and units"})
    longest = fields.Nested(TextOut, metadata={"description": "The text that takes the most"})
    people = fields.Integer(
        allow_none=True,
        metadata={"description": "From how many people the two were chosen; null if none were looked for"},
    )
    lacking = fields.Dict(
        keys=fields.String(),
        values=fields.Integer(),
        metadata={"description": "By variable: how many of these people have no value and could not be sent the text"},
    )


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


@blueprint.route("/template-categories")
class Categories(MethodView):
    """The categories."""

    @endpoint(Permission.read)
    @blueprint.arguments(ScopedPageQuery, location="query")
    @blueprint.response(200, list_of(CategoryOut, "CategoryList"))
    def get(self, query: dict[str, Any]) -> dict[str, Any]:
        """List the categories that may be used in the scope, by name: its units' own and those of the units above"""
        scope = scope_filter(g.session, g.actor, Permission.read, query["unit"])
        key, id_ = TemplateCategory.name, TemplateCategory.id
        statement = categories.find_categories(scope.paths)
        rows, following = fetch_page(g.session, statement, query, sort="name", key=key, id_=id_)
        return scope.answer([row.TemplateCategory for row in rows], following)

    @endpoint(Permission.manage_templates)
    @blueprint.arguments(CategoryIn)
    @blueprint.response(201, CategoryOut)
    def post(self, body: dict[str, Any]) -> TemplateCategory:
        """Add a category"""
        return categories.add_category(g.session, g.actor, body["unit_id"], body["name"])


@blueprint.route("/template-categories/<int:category_id>")
class OneCategory(MethodView):
    """One category."""

    @endpoint(Permission.manage_templates)
    @blueprint.response(204)
    def delete(self, category_id: int) -> None:
        """Take a category away that no template belongs to"""
        categories.remove_category(g.session, g.actor, category_id)


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


@blueprint.route("/templates/<int:template_id>/preview")
class SavedPreview(MethodView):
    """What a version will look like."""

    @endpoint(Permission.read)
    @blueprint.arguments(SavedPreviewIn)
    @blueprint.response(200, PreviewOut)
    def post(self, body: dict[str, Any], template_id: int) -> Any:
        """Render a version for the recipients with the shortest and the longest values; changes nothing"""
        template, version = library.get_numbered_version(g.session, g.actor, template_id, body.pop("version"))
        check_kinds(fields_of(version), body["values"])
        return preview_text(g.session, g.actor, version.body, template.class_, **body)


@blueprint.route("/templates/preview")
class UnsavedPreview(MethodView):
    """What a text will look like before it is saved."""

    @endpoint(Permission.read)
    @blueprint.arguments(UnsavedPreviewIn)
    @blueprint.response(200, PreviewOut)
    def post(self, body: dict[str, Any]) -> Any:
        """Render a text that is not saved yet; changes nothing"""
        return preview_text(g.session, g.actor, **body)


def _field(given: dict[str, Any]) -> TemplateField:
    return read_field({"label": given["name"], **given})


def _with_version(template: Template, version: TemplateVersion) -> dict[str, Any]:
    names = ("id", "unit_id", "name", "class_", "category_id", "archived_at", "cloned_from", "created_by", "created_at")
    return {**{name: getattr(template, name) for name in names}, "version": version}
