"""What every template can use: words in the page's language, times, numbers, and the hidden fields of a form."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from flask import current_app, g, render_template, request, url_for
from jinja2 import StrictUndefined
from markupsafe import Markup

from sms_service.console import cookies, forgery, languages, once
from sms_service.console.assets import asset_url
from sms_service.console.blueprint import blueprint
from sms_service.console.navigation import menu_groups
from sms_service.content.values import write_value
from sms_service.directory.models import Unit
from sms_service.masking import mask_phone, mask_text
from sms_service.said import translate
from sms_service.web.words import name_of, name_word


def render_page(template: str, **values: Any) -> str:
    """The page of `templates/console/<template>`, in the visitor's language."""
    return render_template(f"console/{template}", **values)


def name_here(member: str | None) -> str:
    """The word for an enum's member in the page's language."""
    return "" if member is None else translate(name_of(member), languages.page_catalogue())


def name_reason_here(reason: str | None) -> str:
    """The same for a message's or attempt's reason, some of which are words of other enums too."""
    return "" if reason is None else translate(name_word("MessageReason", reason), languages.page_catalogue())


def hidden_fields() -> Markup:
    """The fields by which a form is known as ours and acts once."""
    return Markup('<input type="hidden" name="{}" value="{}"><input type="hidden" name="{}" value="{}">').format(
        forgery.FIELD, forgery.make_form_token(g.session_secret), once.FIELD, once.make_key()
    )


def form_value(name: str, default: Any = "") -> Any:
    """What stands in a field: what was sent, where the form is shown again, else `default`."""
    submitted = g.get("submitted")
    if submitted is None:
        return "" if default is None else default
    return submitted.get(name, "")


def form_values(name: str, default: Any = ()) -> list[str]:
    """The same for a field that may be there several times, such as ticks: a list of texts."""
    submitted = g.get("submitted")
    return [str(value) for value in (default if submitted is None else submitted.getlist(name))]


def field_messages(name: str) -> list[str]:
    """What is wrong with a field of the form that is shown again."""
    return [languages.translate_here(e["reason"]) for e in g.get("form_errors", ()) if e["field"] == name]


def form_errors() -> list[dict[str, Any]]:
    """All that is wrong, for the summary on top of the page."""
    return [{**e, "reason": languages.translate_here(e["reason"])} for e in g.get("form_errors", ())]


def address_with(**changes: Any) -> str:
    """The present address with these parts of its query changed; None takes one out."""
    query: dict[str, Any] = {name: value for name, value in request.args.items() if name not in changes}
    query |= {name: value for name, value in changes.items() if value is not None}
    return url_for(request.endpoint or "console.show_home", **(request.view_args or {}), **query)


def count_filters(query: Mapping[str, Any]) -> int:
    """How many filters of a list's query are set; which page of the list it is does not count."""
    return sum(value not in (None, False, "") for name, value in query.items() if name not in _NO_FILTERS)


def list_names(units: Iterable[Unit]) -> list[str]:
    """The units' names, for a sentence."""
    return [unit.name for unit in units]


def link_to(endpoint: str, **values: Any) -> str | None:
    """The address of a page, or None where this installation has no such page."""
    return url_for(endpoint, **values) if endpoint in current_app.view_functions else None


_NO_FILTERS = {"limit", "cursor", "subtree", "sender_subtree"}


@blueprint.context_processor
def _shared() -> dict[str, Any]:
    return {
        "language": languages.page_language(),
        "language_tag": languages.language_tag(),
        "visitor": g.get("visitor"),
    }


# Globals and not of the context, so that macros have them too.
_GLOBALS: dict[str, Callable[..., Any]] = {
    "_": languages.say_here,
    "menu_groups": menu_groups,
    "filters_set": count_filters,
    "is_readable_by_others": cookies.is_readable_by_others,
    "notice": cookies.read_notice,
    "form_value": form_value,
    "form_values": form_values,
    "field_messages": field_messages,
    "form_errors": form_errors,
    "hidden_fields": hidden_fields,
    "address_with": address_with,
    "link_to": link_to,
    "asset": asset_url,
}
_FILTERS: dict[str, Callable[..., Any]] = {
    "said": languages.translate_here,
    "word": name_here,
    "why": name_reason_here,
    "run_kind": lambda kind: languages.translate_here(name_word("run", kind)),
    "time": languages.write_time,
    "second": languages.write_second,
    "coming": languages.write_coming,
    "day": languages.write_day,
    "time_on_paper": languages.write_time_on_paper,
    "weekday": languages.write_weekday,
    "year_month": languages.write_year_month,
    "short_weekday": languages.write_short_weekday,
    "narrow_weekday": languages.write_narrow_weekday,
    "month": languages.write_month,
    "number": languages.write_number,
    "yuan": languages.write_yuan,
    "percent": languages.write_percent,
    "masked": mask_phone,
    "names": list_names,
    "mask_text": mask_text,
    "written": write_value,
}
for _name, _function in _GLOBALS.items():
    blueprint.add_app_template_global(_function, _name)
for _name, _filter in _FILTERS.items():
    blueprint.add_app_template_filter(_filter, _name)


@blueprint.record
def _be_strict(state: Any) -> None:
    state.app.jinja_env.undefined = StrictUndefined
    state.app.jinja_env.trim_blocks = state.app.jinja_env.lstrip_blocks = True
