"""`/word-lists`: words that no text may hold or that an approver must look at, and hosts to which links may lead."""

from __future__ import annotations

from typing import Any

from flask import g
from flask.views import MethodView
from marshmallow import fields

from sms_service.accounts.permissions import Permission
from sms_service.api.authentication import endpoint
from sms_service.api.blueprint import Blueprint
from sms_service.content import wordlists
from sms_service.content.models import ListedWord, ListKind
from sms_service.web.paging import ScopedPageQuery, fetch_page, scope_filter
from sms_service.web.schemas import Id, In, Out, list_of
from sms_service.web.validators import ListLength, OneOfWords

blueprint = Blueprint(
    "word-lists",
    description="What lint looks for: words on the block list (no text may hold them), words on the review list (an "
    "approver has to tick them), and hosts to which links may lead. A list holds for a unit and all below it. Without "
    "a listed host, links to all hosts are allowed.",
)

_KIND = "`block`: no text may hold it; `review`: an approver must tick it; `host`: links may lead to it and below it"


class WordQuery(ScopedPageQuery):
    """Filters."""

    kind = fields.String(
        load_default=None, validate=OneOfWords(list(ListKind)), metadata={"description": "Only this list"}
    )


class WordsIn(In):
    """Words, or hosts, to be listed."""

    unit_id = Id(required=True, metadata={"description": "The unit whose list it is"})
    kind = fields.String(required=True, validate=OneOfWords(list(ListKind)), metadata={"description": _KIND})
    words = fields.List(
        fields.String(),
        required=True,
        validate=ListLength(1, wordlists.MOST_ADDED),
        metadata={"description": "Words of at most 100 characters, or hosts; one that is listed already stays"},
    )


class WordOut(Out):
    """A listed word."""

    id = fields.Integer(metadata={"description": "The word's id"})
    unit_id = fields.Integer(metadata={"description": "It holds for this unit and all below it"})
    unit = fields.String(metadata={"description": "The unit's name"})
    kind = fields.String(metadata={"description": _KIND})
    word = fields.String(metadata={"description": "The word, or the host"})


class WordsAdded(Out):
    """How many words were added."""

    added = fields.Integer(metadata={"description": "Words that were not on the list yet"})


@blueprint.route("/word-lists")
class WordLists(MethodView):
    """The lists."""

    @endpoint(Permission.read)
    @blueprint.arguments(WordQuery, location="query")
    @blueprint.response(200, list_of(WordOut, "WordList"))
    def get(self, query: dict[str, Any]) -> dict[str, Any]:
        """List the words that hold somewhere in the scope: of units there and above"""
        scope = scope_filter(g.session, g.actor, Permission.read, query["unit"])
        kind = None if query["kind"] is None else ListKind(query["kind"])
        statement = wordlists.find_words(scope.paths, kind)
        rows, following = fetch_page(g.session, statement, query, sort="word", key=ListedWord.word, id_=ListedWord.id)
        return scope.answer([_describe(row.ListedWord, row.Unit.name) for row in rows], following)

    @endpoint(Permission.manage_directory)
    @blueprint.arguments(WordsIn)
    @blueprint.response(200, WordsAdded)
    def post(self, body: dict[str, Any]) -> dict[str, Any]:
        """Put words on a unit's list; campaigns that are not launched yet are held to it at once"""
        kind = ListKind(body["kind"])
        return {"added": wordlists.add_words(g.session, g.actor, body["unit_id"], kind, body["words"])}


@blueprint.route("/word-lists/<int:word_id>")
class OneWord(MethodView):
    """One listed word."""

    @endpoint(Permission.manage_directory)
    @blueprint.response(204)
    def delete(self, word_id: int) -> None:
        """Take a word off its list"""
        wordlists.remove_word(g.session, g.actor, word_id)


def _describe(one: ListedWord, unit: str) -> dict[str, Any]:
    return {**{name: getattr(one, name) for name in ("id", "unit_id", "kind", "word")}, "unit": unit}
