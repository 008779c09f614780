"""Lists of words and hosts that units own: what no text may say, what an approver must look at, where links may lead.

A list holds for the unit and all below it, beside those of the units above. Words are compared without blanks,
invisible characters, width and case, so that 免 费 is 免费.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import ahocorasick
from sqlalchemy import ColumnElement, Select, func, literal, select
from sqlalchemy.dialects.postgresql import JSON, insert
from sqlalchemy.orm import Session, aliased

from sms_service.accounts.actors import Actor, unit_path
from sms_service.accounts.permissions import Permission
from sms_service.audit import trail
from sms_service.content.models import ListedWord, ListKind
from sms_service.directory.models import Unit
from sms_service.directory.units import usable_from
from sms_service.errors import Invalid, NotFound
from sms_service.said import say

LONGEST_WORD = 100  # characters
MOST_ADDED = 5_000  # words at once

_HOST = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{1,62}")
_INVISIBLE = {"Cf", "Zs", "Zl", "Zp", "Cc", "Mn"}


@dataclass(frozen=True, slots=True)
class WordLists:
    """What holds for a unit: `blocked` and `reviewed` words by their plain form, and the `hosts` that links may name.
    Without any host, links to all hosts may stand in a text.
    """

    blocked: dict[str, str] = field(default_factory=dict)
    reviewed: dict[str, str] = field(default_factory=dict)
    hosts: frozenset[str] = frozenset()

    def allows_host(self, host: str) -> bool:
        """Whether a link to this host is allowed: it is listed, or below one that is."""
        return not self.hosts or any(host == one or host.endswith(f".{one}") for one in self.hosts)


def add_words(session: Session, actor: Actor, unit_id: int, kind: ListKind, words: Iterable[str]) -> int:
    """Put words, or hosts, on a list of the unit; how many were not there yet.

    Raises NotFound, Forbidden without `manage_directory` over the unit, Invalid (`words`) naming what cannot be listed.
    """
    path = unit_path(session, unit_id)
    actor.require(Permission.manage_directory, path)
    checked = list(dict.fromkeys(_check_word(kind, word) for word in words if word.strip()))
    if not 1 <= len(checked) <= MOST_ADDED:
        raise Invalid("words", len(checked), say("must be from 1 to {most} words", most=MOST_ADDED))
    rows = [{"unit_id": unit_id, "kind": kind.value, "word": word, "created_by": actor.account_id} for word in checked]
    new = insert(ListedWord).values(rows).on_conflict_do_nothing().returning(ListedWord.id)
    added = len(session.scalars(new).all())
    if added:
        trail.record_act(session, actor.account_id, "word_list.add", "unit", unit_id, path, list=kind, words=added)
    return added


def remove_word(session: Session, actor: Actor, word_id: int) -> None:
    """Take a word off the list it is on. Raises NotFound, or Forbidden without `manage_directory` over its unit."""
    found = session.get(ListedWord, word_id)
    if found is None:
        raise NotFound("listed word", word_id)
    path = unit_path(session, found.unit_id)
    actor.require(Permission.manage_directory, path)
    session.delete(found)
    session.flush()
    details = {"list": found.kind, "word": found.word}
    trail.record_act(session, actor.account_id, "word_list.remove", "unit", found.unit_id, path, **details)


def find_words(scope: tuple[str, ...], kind: ListKind | None = None) -> Select[ListedWord, Unit]:
    """The words that hold on the unit paths of `scope`: of units within the subtrees and above them; not ordered."""
    statement = select(ListedWord, Unit).join(Unit, Unit.id == ListedWord.unit_id).where(usable_from(scope))
    return statement if kind is None else statement.where(ListedWord.kind == kind.value)


def load_lists(session: Session, path: str) -> WordLists:
    """What holds for the unit at `path`: its own lists and those of the units above it."""
    return read_lists(session.scalar(select(select_lists(literal(path)))))


def select_lists(path: ColumnElement[str]) -> ColumnElement[Any]:
    """SQL for what holds for the unit at `path`, for `read_lists`."""
    owner = aliased(Unit)
    words = func.json_agg(func.json_build_array(ListedWord.kind, ListedWord.word), type_=JSON)
    return (
        select(words)
        .select_from(ListedWord)
        .join(owner, owner.id == ListedWord.unit_id)
        .where(path.op("^@", is_comparison=True)(owner.path))
        .scalar_subquery()
    )


def read_lists(rows: Sequence[Sequence[str]] | None) -> WordLists:
    """What `select_lists` found; None where nothing is listed."""
    found: dict[str, list[str]] = {kind.value: [] for kind in ListKind}
    for kind, word in rows or ():
        found[kind].append(word)
    return WordLists(
        {write_comparable(word): word for word in found[ListKind.block]},
        {write_comparable(word): word for word in found[ListKind.review]},
        frozenset(found[ListKind.host]),
    )


def find_listed(words: dict[str, str], text: str) -> list[str]:
    """The words of a list, as it has them, that stand in the text."""
    if not words:
        return []
    # All words at once: one after the other, 5,000 words in 1,000 texts take six times as long.
    automaton = ahocorasick.Automaton()
    for form in words:
        automaton.add_word(form, form)
    automaton.make_automaton()
    found = {form for _, form in automaton.iter(write_comparable(text))}
    return [word for form, word in words.items() if form in found]


def write_comparable(text: str) -> str:
    """A text without what hides a word: blanks, invisible characters, width and case."""
    plain = unicodedata.normalize("NFKC", text).casefold()
    if plain.isalnum():
        return plain
    for character in set(plain):  # few, however many texts stand in it
        if unicodedata.category(character) in _INVISIBLE:
            plain = plain.replace(character, "")
    return plain


def _check_word(kind: ListKind, word: str) -> str:
    word = word.strip()
    if kind == ListKind.host:
        host = word.casefold().removeprefix("https://").removeprefix("http://").rstrip("/")
        if not _HOST.fullmatch(host) or len(host) > LONGEST_WORD:
            raise Invalid("words", word[:LONGEST_WORD], "must be a host, such as www.12371.cn")
        return host
    if len(word) > LONGEST_WORD or not write_comparable(word):
        raise Invalid("words", word[:LONGEST_WORD], say("must be a word of 1 to {most} characters", most=LONGEST_WORD))
    return word
