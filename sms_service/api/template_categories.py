"""`/template-categories`: what templates are sorted by."""

from __future__ import annotations

from typing import Any

from flask import g
from flask.views import MethodView
from marshmallow import fields

from sms_service.accounts.permissions import Permission
from sms_service.api.authentication import endpoint
from sms_service.api.blueprint import Blueprint
from sms_service.content import categories
from sms_service.content.models import TemplateCategory
from sms_service.web.paging import ScopedPageQuery, fetch_page, scope_filter
from sms_service.web.schemas import Id, In, OneLine, Out, list_of

blueprint = Blueprint("template categories", description="What templates are sorted by. The list is data of each unit.")


class CategoryIn(In):
    """A new category."""

    unit_id = Id(required=True, metadata={"description": "The unit whose category it is"})
    name = OneLine(categories.LONGEST_NAME, required=True, metadata={"description": "Its name, unique in the unit"})


class CategoryOut(Out):
    """A category of templates, usable throughout its unit's subtree."""

    id = fields.Integer(metadata={"description": "The category's id"})
    unit_id = fields.Integer(metadata={"description": "The unit whose category it is"})
    name = fields.String(metadata={"description": "Its name"})


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
