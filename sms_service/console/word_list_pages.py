"""用词: words that no text may hold or that an approver must tick, and hosts to which links may lead."""

from __future__ import annotations

from flask import Response, g
from marshmallow import fields

from sms_service.accounts.permissions import Permission
from sms_service.console.forms import read_form, read_query
from sms_service.console.pages import act_view, go_to, page_view
from sms_service.console.rendering import name_here, render_page
from sms_service.console.unit_choice import choose_unit
from sms_service.content import wordlists
from sms_service.content.models import ListedWord, ListKind
from sms_service.said import as_said, say
from sms_service.web.paging import ScopedPageQuery, fetch_page, scope_filter
from sms_service.web.schemas import Id, In
from sms_service.web.validators import OneOfWords


class WordFilter(ScopedPageQuery):
    """Which list."""

    kind = fields.String(load_default=None, validate=OneOfWords(list(ListKind)))


class WordsForm(In):
    """Words for a list, one a line."""

    unit_id = Id(required=True)
    kind = fields.String(required=True, validate=OneOfWords(list(ListKind)))
    words = fields.String(required=True)


@page_view("/words", Permission.read)
def list_words() -> str:
    """The words and hosts that hold for one's units, and the form for more."""
    query = read_query(WordFilter)
    scope = scope_filter(g.session, g.actor, Permission.read, query["unit"])
    statement = wordlists.find_words(scope.paths, ListKind(query["kind"]) if query["kind"] else None)
    rows, following = fetch_page(g.session, statement, query, sort="word", key=ListedWord.word, id_=ListedWord.id)
    may_add = bool(g.actor.scope(Permission.manage_directory))
    return render_page(
        "words.html",
        rows=rows,
        following=following,
        scope=scope.units,
        query=query,
        kinds={str(kind): name_here(kind) for kind in ListKind},
        choice=choose_unit(g.session, g.actor, Permission.manage_directory, query["unit"], top=True)
        if may_add
        else None,
        may_remove=lambda path: g.actor.can(Permission.manage_directory, path),
    )


@act_view("/words", Permission.manage_directory, again=list_words)
def add_some_words() -> Response:
    """Put words on a unit's list."""
    form = read_form(WordsForm)
    lines = form["words"].splitlines()
    added = wordlists.add_words(g.session, g.actor, form["unit_id"], ListKind(form["kind"]), lines)
    return go_to("console.list_words", said=say("{count} words were added.", count=added))


@act_view("/words/<int:word_id>/remove", Permission.manage_directory)
def remove_one_word(word_id: int) -> Response:
    """Take a word off its list."""
    wordlists.remove_word(g.session, g.actor, word_id)
    return go_to("console.list_words", said=as_said("The word is off the list."))
