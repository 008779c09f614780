"""`/recipient-lists`: lists for one campaign: their rows are its audience, their columns variables of its text."""

from __future__ import annotations

from typing import Any

from flask import g
from flask.views import MethodView
from marshmallow import fields

from sms_service.accounts.permissions import Permission
from sms_service.api.authentication import endpoint
from sms_service.api.blueprint import Blueprint
from sms_service.audience import recipient_lists
from sms_service.audience.list_models import RecipientList, RecipientRow
from sms_service.audience.listed import ROW
from sms_service.campaigns.list_uses import list_campaigns_of_list
from sms_service.directory.models import Unit
from sms_service.masking import mask_text
from sms_service.personal.list_endings import let_list_go
from sms_service.web.paging import PageQuery, ScopedPageQuery, fetch_page, scope_filter
from sms_service.web.schemas import Id, MaskedPhone, MaskedText, Out, list_of

blueprint = Blueprint(
    "recipient-lists",
    description="Lists for one campaign. A file is uploaded to `/imports` with the kind `recipients`, checked and "
    "applied there; that makes a list that never changes, and a segment of the people on it. In a text, "
    "`{{ row.座位 }}` is what the list says of each person. Its digest is part of what is approved.",
)


class ListQuery(ScopedPageQuery):
    """Which lists."""

    import_id = Id(load_default=None, metadata={"description": "Only the list that this import made"})


class RecipientListOut(Out):
    """A list for one campaign."""

    id = fields.Integer(metadata={"description": 'The list\'s id, for a rule: `{"list": 5}`'})
    unit_id = fields.Integer(metadata={"description": "The unit to which it belongs"})
    name = MaskedText(metadata={"description": "Its name: that of the file, with a number where that is taken"})
    file_name = MaskedText(metadata={"description": "The file's name"})
    import_id = fields.Integer(allow_none=True, metadata={"description": "The import that made it"})
    segment_id = fields.Integer(
        allow_none=True, metadata={"description": "The segment of the people on it, for a campaign"}
    )
    variables = fields.Method(
        "_variables", metadata={"description": "What a text can take from it, such as `row.座位`, in the file's order"}
    )
    people = fields.Integer(metadata={"description": "The people on it when it was made"})
    guests = fields.Integer(metadata={"description": "How many of them are not in the register"})
    digest = fields.Method("_digest", metadata={"description": "SHA-256 over its rows, hexadecimal"})
    created_by = fields.Integer(allow_none=True, metadata={"description": "Who made it; null: the service itself"})
    created_at = fields.AwareDateTime(metadata={"description": "When it was made"})
    let_go_at = fields.AwareDateTime(
        allow_none=True, metadata={"description": "When somebody said that nobody needs it any more"}
    )
    emptied_at = fields.AwareDateTime(
        allow_none=True, metadata={"description": "When its rows were deleted; null: they are there"}
    )

    def _variables(self, found: RecipientList) -> list[str]:
        return [f"{ROW}{column}" for column in found.columns]

    def _digest(self, found: RecipientList) -> str:
        return found.digest.hex()


class ListRowOut(Out):
    """A person on a list."""

    row = fields.Integer(metadata={"description": "The row of the file; the first is 1"})
    person_id = fields.Integer(metadata={"description": "The person"})
    name = MaskedText(metadata={"description": "The person's name"})
    guest = fields.Boolean(metadata={"description": "True: not in the register; forgotten with the list"})
    phone = MaskedPhone(allow_none=True)
    values = fields.Dict(
        keys=fields.String(),
        metadata={"description": "What the row says, by column; phone numbers in it are masked"},
    )


class ListUseOut(Out):
    """A campaign that uses a list."""

    id = fields.Integer(metadata={"description": "The campaign's id"})
    name = fields.String(metadata={"description": "The campaign's name"})
    status = fields.String(metadata={"description": "How far people have decided on it"})
    run_id = fields.Integer(allow_none=True, metadata={"description": "Its run; null: it was not launched"})


class ListUsesOut(Out):
    """What uses a list."""

    campaigns = fields.List(
        fields.Nested(ListUseOut), metadata={"description": "The newest first, at most 50; those that may be read"}
    )


@blueprint.route("/recipient-lists")
class RecipientLists(MethodView):
    """The lists."""

    @endpoint(Permission.read)
    @blueprint.arguments(ListQuery, location="query")
    @blueprint.response(200, list_of(RecipientListOut, "RecipientListList"))
    def get(self, query: dict[str, Any]) -> dict[str, Any]:
        """List lists for campaigns, newest first"""
        scope = scope_filter(g.session, g.actor, Permission.read, query["unit"])
        statement = recipient_lists.find_lists(scope.paths, import_id=query["import_id"])
        items, following = fetch_page(
            g.session, statement, query, sort="id", key=RecipientList.id, id_=RecipientList.id, descending=True
        )
        return scope.answer(items, following)


@blueprint.route("/recipient-lists/<int:recipient_list_id>")
class OneRecipientList(MethodView):
    """One list."""

    @endpoint(Permission.read)
    @blueprint.response(200, RecipientListOut)
    def get(self, recipient_list_id: int) -> RecipientList:
        """Show a list: its variables, its digest and its segment"""
        return recipient_lists.get_list(g.session, g.actor, recipient_list_id)


@blueprint.route("/recipient-lists/<int:recipient_list_id>/rows")
class ListRows(MethodView):
    """The people on a list."""

    @endpoint(Permission.read)
    @blueprint.arguments(PageQuery, location="query")
    @blueprint.response(200, list_of(ListRowOut, "ListRowList"))
    def get(self, query: dict[str, Any], recipient_list_id: int) -> dict[str, Any]:
        """List the people on a list with their values, in the order of the file; for who may read the list's unit"""
        found = recipient_lists.get_list(g.session, g.actor, recipient_list_id)
        statement = recipient_lists.find_list_rows(g.session, g.actor, found)
        rows, following = fetch_page(
            g.session, statement, query, sort="row", key=RecipientRow.row, id_=RecipientRow.person_id
        )
        items = [
            {
                "row": one.RecipientRow.row,
                "person_id": one.Person.id,
                "name": one.Person.name,
                "guest": one.Person.kind == "guest",
                "phone": one.Person.phone,
                "values": {name: mask_text(value) for name, value in one.RecipientRow.values.items()},
            }
            for one in rows
        ]
        return {"scope": [g.session.get_one(Unit, found.unit_id)], "items": items, "next": following}


@blueprint.route("/recipient-lists/<int:recipient_list_id>/uses")
class ListUses(MethodView):
    """What uses a list."""

    @endpoint(Permission.read)
    @blueprint.response(200, ListUsesOut)
    def get(self, recipient_list_id: int) -> dict[str, Any]:
        """List the campaigns that use a list"""
        found = recipient_lists.get_list(g.session, g.actor, recipient_list_id)
        return {"campaigns": list_campaigns_of_list(g.session, g.actor, found.id)}


@blueprint.route("/recipient-lists/<int:recipient_list_id>/let-go")
class LetListGo(MethodView):
    """The end of a list."""

    @endpoint(Permission.manage_segments)
    @blueprint.response(202, RecipientListOut)
    def post(self, recipient_list_id: int) -> RecipientList:
        """Say that nobody needs a list any more: its guests are erased and its rows deleted soon

        Otherwise that happens some time after its last run. It is refused while a campaign that uses the list is
        submitted, approved or being sent.
        """
        return let_list_go(g.session, g.actor, recipient_list_id)
