"""`/reference-lists`: tables of venues, teachers and the like, of which campaigns pick rows."""

from __future__ import annotations

from typing import Any

from flask import g
from flask.views import MethodView
from marshmallow import fields

from sms_service.accounts.permissions import Permission
from sms_service.api.authentication import endpoint
from sms_service.api.blueprint import Blueprint
from sms_service.content import lists
from sms_service.content.list_models import ReferenceList, ReferenceRow
from sms_service.content.models import Template
from sms_service.content.values import LONGEST_VALUE
from sms_service.web.paging import PageQuery, ScopedPageQuery, fetch_page, scope_filter
from sms_service.web.schemas import Id, In, OneLine, Out, list_of
from sms_service.web.validators import TextLength

MOST_TEMPLATES = 50  # named with a list

blueprint = Blueprint(
    "reference-lists",
    description="Tables of a unit, usable in its whole subtree: a campaign picks a row of each list that its text "
    "names, as `{{ venue.address }}` does, and the row's cells are taken into its values. No personal data of members "
    "belongs here: erasing a person does not look into these lists.",
)

_NAME = "As templates call it, such as venue or 场地: one word of at most 40 letters, Chinese characters and digits"
_LABEL = "As people call it: 1 to 50 characters"
_CELLS = f"By column, beside the name: texts of at most {LONGEST_VALUE} characters; empty ones are not there"


class ListIn(In):
    """A new list."""

    unit_id = Id(required=True, metadata={"description": "The unit that keeps it"})
    name = OneLine(200, required=True, metadata={"description": _NAME})
    label = OneLine(200, required=True, metadata={"description": _LABEL})


class ListChange(In):
    """What to change."""

    label = OneLine(200, required=True, metadata={"description": _LABEL})


class RowQuery(PageQuery):
    """Which rows."""

    wanted = OneLine(100, load_default=None, metadata={"description": "Only rows that hold this text in some cell"})
    archived = fields.Boolean(load_default=False, metadata={"description": "The archived rows instead"})


class RowIn(In):
    """A row."""

    name = fields.String(
        required=True, validate=TextLength(1, LONGEST_VALUE), metadata={"description": "Its name, unique in the list"}
    )
    values = fields.Dict(
        keys=fields.String(), values=fields.String(), load_default=dict, metadata={"description": _CELLS}
    )


class ListColumnOut(Out):
    """A column."""

    name = fields.String(metadata={"description": "As templates call it: `{{ venue.address }}`"})
    label = fields.String(metadata={"description": "As people call it"})


class ReferenceListOut(Out):
    """A list."""

    id = fields.Integer(metadata={"description": "The list's id"})
    unit_id = fields.Integer(metadata={"description": "The unit that keeps it; it and all below it can use the list"})
    unit = fields.String(metadata={"description": "The unit's name"})
    name = fields.String(metadata={"description": "As templates call it"})
    label = fields.String(metadata={"description": "As people call it"})
    columns = fields.List(
        fields.Nested(ListColumnOut), metadata={"description": "Its columns in order; the first names the rows"}
    )
    rows = fields.Integer(metadata={"description": "How many rows can be picked"})
    version = fields.Integer(metadata={"description": "Grows with each change of its rows"})
    changed_at = fields.AwareDateTime(metadata={"description": "When its rows changed last"})


class NamingTemplateOut(Out):
    """A template that names a list."""

    id = fields.Integer(metadata={"description": "The template's id"})
    name = fields.String(metadata={"description": "Its name"})


class ReferenceListShown(ReferenceListOut):
    """A list with where it is used."""

    templates = fields.List(
        fields.Nested(NamingTemplateOut),
        metadata={"description": f"Templates whose newest version names it, by name; at most {MOST_TEMPLATES}"},
    )


class ReferenceRowOut(Out):
    """A row."""

    id = fields.Integer(metadata={"description": "The row's id, for a campaign's `picks`"})
    name = fields.String(metadata={"description": "Its name"})
    values = fields.Dict(keys=fields.String(), values=fields.String(), metadata={"description": _CELLS})
    archived_at = fields.AwareDateTime(
        allow_none=True, metadata={"description": "Since when no campaign can pick it; null: they can"}
    )


@blueprint.route("/reference-lists")
class ReferenceLists(MethodView):
    """The lists."""

    @endpoint(Permission.read)
    @blueprint.arguments(ScopedPageQuery, location="query")
    @blueprint.response(200, list_of(ReferenceListOut, "ReferenceListList"))
    def get(self, query: dict[str, Any]) -> dict[str, Any]:
        """List the reference lists that can be used in the scope: its units' own and those of the units above"""
        scope = scope_filter(g.session, g.actor, Permission.read, query["unit"])
        statement = lists.find_reference_lists(scope.paths)
        rows, following = fetch_page(
            g.session, statement, query, sort="label", key=ReferenceList.label, id_=ReferenceList.id
        )
        return scope.answer([_describe(row.ReferenceList, row.Unit.name, row.rows) for row in rows], following)

    @endpoint(Permission.manage_templates)
    @blueprint.arguments(ListIn)
    @blueprint.response(201, ReferenceListShown)
    def post(self, body: dict[str, Any]) -> dict[str, Any]:
        """Add an empty list; a file then brings columns and rows"""
        made = lists.add_reference_list(g.session, g.actor, body["unit_id"], body["name"], body["label"])
        return show_reference_list(made.id)


@blueprint.route("/reference-lists/<int:list_id>")
class OneReferenceList(MethodView):
    """One list."""

    @endpoint(Permission.read)
    @blueprint.response(200, ReferenceListShown)
    def get(self, list_id: int) -> dict[str, Any]:
        """Show a list and which templates name it"""
        return show_reference_list(list_id)

    @endpoint(Permission.manage_templates)
    @blueprint.arguments(ListChange)
    @blueprint.response(200, ReferenceListShown)
    def patch(self, body: dict[str, Any], list_id: int) -> dict[str, Any]:
        """Give it another label"""
        lists.rename_reference_list(g.session, g.actor, list_id, body["label"])
        return show_reference_list(list_id)

    @endpoint(Permission.manage_templates)
    @blueprint.response(204)
    def delete(self, list_id: int) -> None:
        """Take it away with its rows; campaigns keep what they took of it"""
        lists.remove_reference_list(g.session, g.actor, list_id)


@blueprint.route("/reference-lists/<int:list_id>/rows")
class ReferenceRows(MethodView):
    """The rows of a list."""

    @endpoint(Permission.read)
    @blueprint.arguments(RowQuery, location="query")
    @blueprint.response(200, list_of(ReferenceRowOut, "ReferenceRowList", scoped=False))
    def get(self, query: dict[str, Any], list_id: int) -> dict[str, Any]:
        """List the rows, by name"""
        lists.get_reference_list(g.session, g.actor, list_id)
        statement = lists.find_rows(list_id, query["wanted"] or "", archived=query["archived"])
        rows, following = fetch_page(
            g.session, statement, query, sort="name", key=ReferenceRow.name, id_=ReferenceRow.id
        )
        return {"items": rows, "next": following}

    @endpoint(Permission.manage_templates)
    @blueprint.arguments(RowIn)
    @blueprint.response(201, ReferenceRowOut)
    def post(self, body: dict[str, Any], list_id: int) -> ReferenceRow:
        """Add a row"""
        return lists.keep_row(g.session, g.actor, list_id, None, body["name"], body["values"])


@blueprint.route("/reference-lists/<int:list_id>/rows/<int:row_id>")
class OneReferenceRow(MethodView):
    """One row."""

    @endpoint(Permission.manage_templates)
    @blueprint.arguments(RowIn)
    @blueprint.response(200, ReferenceRowOut)
    def put(self, body: dict[str, Any], list_id: int, row_id: int) -> ReferenceRow:
        """Write a row anew; campaigns that picked it keep what they took, and lint says that it changed"""
        return lists.keep_row(g.session, g.actor, list_id, row_id, body["name"], body["values"])

    @endpoint(Permission.manage_templates)
    @blueprint.response(204)
    def delete(self, list_id: int, row_id: int) -> None:
        """Archive a row: no campaign can pick it any more. A row that is kept again under its name comes back"""
        lists.archive_row(g.session, g.actor, list_id, row_id)


def show_reference_list(list_id: int) -> dict[str, Any]:
    """The list, with the templates that name it."""
    found, unit = lists.get_reference_list(g.session, g.actor, list_id)
    naming = lists.find_naming_templates(found, unit.path).order_by(Template.name, Template.id).limit(MOST_TEMPLATES)
    templates = [{"id": row.Template.id, "name": row.Template.name} for row in g.session.execute(naming)]
    return {**_describe(found, unit.name, lists.count_list_rows(g.session, list_id)), "templates": templates}


def _describe(found: ReferenceList, unit: str, rows: int) -> dict[str, Any]:
    names = ("id", "unit_id", "name", "label", "version", "changed_at")
    described = {name: getattr(found, name) for name in names}
    return {**described, "unit": unit, "columns": lists.columns_of(found), "rows": rows}
