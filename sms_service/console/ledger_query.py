"""The filters of the ledger's rows as an address of a page has them, and as a person reads them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import date, datetime
from typing import Any, NamedTuple

from marshmallow import Schema
from sqlalchemy import literal, select, union_all
from sqlalchemy.orm import Session

from sms_service.campaigns.models import Campaign
from sms_service.console.blueprint import blueprint
from sms_service.console.forms import read_query
from sms_service.console.languages import say_here, translate_here, write_day, write_time
from sms_service.console.rendering import address_with, name_here, name_reason_here
from sms_service.content.models import Template, TemplateCategory
from sms_service.directory.models import Unit
from sms_service.reports.filters import DIMENSIONS
from sms_service.web.words import name_word

NONE = "-"  # a form drops fields that are empty, so what has no value is asked for with this
_MAY_HAVE_NONE = ("reason", "code", "account", "carrier")
_PARTS = ("subtree", "sender_subtree")  # what they say stands beside `unit` and `sender`


class SetFilter(NamedTuple):
    """A filter that is set: its key, what it is, its value in words, and the address of the page without it."""

    key: str
    name: str
    value: str
    without: str


def read_ledger_query(schema: type[Schema]) -> dict[str, Any]:
    """As `read_query`, with "" for what has no value. Raises InvalidRequest."""
    return mean_none(read_query(schema))


def mean_none(query: Mapping[str, Any]) -> dict[str, Any]:
    """What was read from an address or a form, with "" for what has no value."""
    return {name: "" if name in _MAY_HAVE_NONE and value == NONE else value for name, value in query.items()}


def write_ledger_query(query: Mapping[str, Any]) -> dict[str, Any]:
    """The filters as an address has them; what says nothing is left out."""
    given = {"class" if name == "class_" else name: value for name, value in query.items() if value is not None}
    for name in _PARTS:
        if str(given.get(name)).lower() == "true":
            del given[name]
    return {name: _write(name, value) for name, value in given.items()}


def _write(name: str, value: Any) -> Any:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, date | datetime):
        return value.isoformat()
    return NONE if value == "" and name in _MAY_HAVE_NONE else value


def describe_filters(session: Session, given: Mapping[str, Any], shown: Collection[str]) -> list[SetFilter]:
    """The filters that are set but those that the page shows itself (`shown`); one statement at most."""
    return describe_filter_sets(session, [given], shown)[0]


def describe_filter_sets(
    session: Session, sets: Sequence[Mapping[str, Any]], shown: Collection[str] = ()
) -> list[list[SetFilter]]:
    """The same of several questions, such as those of a page of exports; one statement at most for all of them."""
    names = _find_names(session, sets)
    return [_describe(given, shown, names) for given in sets]


def _describe(given: Mapping[str, Any], shown: Collection[str], names: Mapping[Any, str]) -> list[SetFilter]:
    found = []
    for name, value in given.items():
        if name in shown or name in _PARTS:
            continue
        without = {name: None, "cursor": None}
        text = names.get((name, str(value))) or _WORDS.get(name, str)(value)
        if ("subtree" if name == "unit" else f"{name}_subtree") in given:
            text = say_here("{unit} itself", unit=text)
        found.append(SetFilter(name, name_filter(name), text, address_with(**without)))
    return found


def _find_names(session: Session, sets: Sequence[Mapping[str, Any]]) -> dict[tuple[str, str], str]:
    named: dict[str, Any] = {"campaign": Campaign, "template": Template, "category": TemplateCategory}
    named |= {"unit": Unit, "sender": Unit, "under": Unit}
    asked = [
        select(literal(name), model.id, model.name).where(model.id.in_(ids))
        for name, model in named.items()
        if (ids := {int(given[name]) for given in sets if given.get(name)})
    ]
    rows = session.execute(union_all(*asked)).all() if asked else ()
    return {(name, str(number)): called for name, number, called in rows}


def name_filter(name: str) -> str:
    """What a filter or a dimension is called."""
    return translate_here(name_word("dimension" if name in DIMENSIONS else "filter", name))


def word_or_none(value: Any) -> str:
    """The word for a status, class or carrier; that of nothing where it has none."""
    return say_here("none") if value in (None, "", NONE) else name_here(value)


def _reason(value: str) -> str:
    return word_or_none(value) if value == NONE else name_reason_here(value)


def _of(value: Any) -> str:
    return word_or_none(None) if str(value) == "0" else str(value)


blueprint.add_app_template_filter(write_ledger_query, "ledger_query")
blueprint.add_app_template_filter(name_filter, "filter_name")

_WORDS: Mapping[str, Callable[[Any], str]] = {
    "status": word_or_none,
    "reason": _reason,
    "class": word_or_none,
    "carrier": word_or_none,
    "code": lambda value: word_or_none(None) if value == NONE else value,
    "account": lambda value: word_or_none(None) if value == NONE else value,
    "kind": lambda value: translate_here(name_word("run", value)),
    "of_campaign": lambda value: say_here("Yes") if value == "true" else say_here("No"),
    "template": _of,
    "category": _of,
    "since": lambda value: write_day(date.fromisoformat(value)),
    "until": lambda value: write_day(date.fromisoformat(value)),
    "changed_since": lambda value: write_time(datetime.fromisoformat(value)),
    "changed_before": lambda value: write_time(datetime.fromisoformat(value)),
}
