"""Segments: the list with the rules in words, one with whom it finds, and the builder."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from flask import Response, g, make_response, request
from marshmallow import fields
from sqlalchemy import Text, cast, select
from sqlalchemy.dialects.postgresql import ARRAY

from sms_service.accounts.actors import unit_path
from sms_service.accounts.permissions import Permission
from sms_service.audience import segments
from sms_service.audience.cautions import find_cautions
from sms_service.audience.choices import RuleValues, list_rule_values
from sms_service.audience.earlier import require_campaigns
from sms_service.audience.models import Segment
from sms_service.audience.somebody import require_somebody
from sms_service.audience.wording import describe_rule, describe_rules
from sms_service.campaigns.uses import MOST_USES, count_campaigns_of_segments, list_segment_uses
from sms_service.console.forms import UnitQuery, read_query
from sms_service.console.languages import translate_here
from sms_service.console.pages import act_view, go_to, page_view
from sms_service.console.rendering import render_page
from sms_service.console.rule_rows import (
    MOST_ROWS,
    Options,
    RuleRow,
    join_rules,
    list_options,
    make_rules,
    read_raw,
    read_rows,
    split_rule,
)
from sms_service.console.rule_texts import offer_texts
from sms_service.console.unit_choice import choose_unit
from sms_service.directory.models import Unit
from sms_service.errors import Invalid
from sms_service.said import as_said
from sms_service.web.paging import ScopedPageQuery, fetch_page, scope_filter
from sms_service.web.problems import find_problem
from sms_service.web.schemas import OneLine

MOST_USABLE = 200  # segments that a row can name
_OF_ONE_USE = cast(["people", "list"], ARRAY(Text))  # rules that invitations and lists for one campaign made


class SegmentsFilter(ScopedPageQuery):
    """Which segments; `lists`: also those that invitations and lists for campaigns made."""

    name = OneLine(load_default=None)
    lists = fields.Boolean(load_default=False)


@page_view("/segments", Permission.read)
def list_segments() -> str:
    """The segments of one's units, by name, with their rules in words."""
    query = read_query(SegmentsFilter)
    scope = scope_filter(g.session, g.actor, Permission.read, query["unit"])
    statement = segments.find_segments(scope.paths, name=query["name"])
    if not query["lists"]:
        statement = statement.where(~Segment.rule.has_any(_OF_ONE_USE))
    rows, following = fetch_page(g.session, statement, query, sort="name", key=Segment.name, id_=Segment.id)
    units = _units({row.unit_id for row in rows})
    words = describe_rules(g.session, g.actor, [(units[row.unit_id], row.rule) for row in rows])
    return render_page(
        "segments.html",
        rows=rows,
        following=following,
        query=query,
        scope=scope.units,
        units=units,
        words=dict(zip([row.id for row in rows], words, strict=True)),
        uses=count_campaigns_of_segments(g.session, [row.id for row in rows], g.actor.scope(Permission.read)),
        choice=choose_unit(g.session, g.actor, Permission.read, query["unit"], top=True),
        may_write=bool(g.actor.scope(Permission.manage_segments)),
    )


@page_view("/segments/<int:segment_id>", Permission.read)
def show_segment(segment_id: int) -> str:
    """One segment: the rule in words, whom it finds now, and which campaigns use it."""
    segment = segments.get_segment(g.session, g.actor, segment_id)
    unit = g.session.get_one(Unit, segment.unit_id)
    readable = g.actor.can(Permission.read, unit.path)
    seen_in = unit if readable else _first_below(unit)
    return render_page(
        "segment.html",
        segment=segment,
        unit=unit,
        may_write=g.actor.can(Permission.manage_segments, unit.path),
        raw=json.dumps(segment.rule, ensure_ascii=False, indent=2),
        uses=list_segment_uses(g.session, g.actor, segment),
        most=MOST_USES,
        **_preview_saved(seen_in, segment),
    )


@page_view("/segments/new", Permission.manage_segments, methods=("GET", "POST"))
def show_new_segment() -> Response:
    """The builder for a new segment of a unit; its buttons add a row or show whom the rows find."""
    choice = choose_unit(g.session, g.actor, Permission.manage_segments, read_query(UnitQuery)["unit"], top=True)
    return _build("segment_new.html", choice.unit, ("all", []), "", choice=choice)


@act_view("/segments/new/keep", Permission.manage_segments, again=show_new_segment)
def write_segment() -> Response:
    """Keep the segment."""
    unit_id = read_query(UnitQuery)["unit"]
    rule = _read_rule(unit_path(g.session, unit_id))
    made = segments.create_segment(g.session, g.actor, unit_id, _name(), rule)
    return go_to("console.show_segment", said=as_said("The segment is kept."), segment_id=made.id)


@page_view("/segments/<int:segment_id>/change", Permission.manage_segments, methods=("GET", "POST"))
def show_segment_form(segment_id: int) -> Response:
    """The builder with the rule as it is, and what a change would touch."""
    segment = segments.get_segment(g.session, g.actor, segment_id)
    unit = g.session.get_one(Unit, segment.unit_id)
    g.actor.require(Permission.manage_segments, unit.path)
    split = split_rule(segment.rule)
    raw = "" if split else json.dumps(segment.rule, ensure_ascii=False, indent=2)
    decided = list_segment_uses(g.session, g.actor, segment).decided
    return _build("segment_change.html", unit, split or ("all", []), raw, segment=segment, decided=decided)


@act_view("/segments/<int:segment_id>/change/keep", Permission.manage_segments, again=show_segment_form)
def change_one_segment(segment_id: int) -> Response:
    """Keep the changed rule; lists that are written stay."""
    segment = segments.get_segment(g.session, g.actor, segment_id)
    rule = _read_rule(unit_path(g.session, segment.unit_id))
    changes: dict[str, Any] = {"name": _name(), "rule": rule}
    was = {"name": segment.name, "rule": segment.rule}
    changes = {field: value for field, value in changes.items() if value != was[field]}
    segments.change_segment(g.session, g.actor, segment_id, **changes)
    return go_to("console.show_segment", said=as_said("The change is kept."), segment_id=segment_id)


@page_view("/segments/words", Permission.manage_segments, fragment=True, methods=("POST",))
def show_rule_words() -> str:
    """The sentence of the rows as they stand, while they are being chosen: a part of the builder."""
    unit = _unit_of_query()
    try:
        rule, _ = _rule_of_form(unit.path)
        words, wrong = describe_rule(g.session, g.actor, unit.id, rule), None
    except Invalid as error:
        words, wrong = None, error.reason
    return render_page("segment_words.html", words=words, wrong=wrong)


@page_view("/segments/offers", Permission.manage_segments, fragment=True, methods=("POST",))
def show_rule_offers() -> str:
    """Units and campaigns that fit what is being written beside a row: a part of the builder."""
    unit = _unit_of_query()
    name = request.headers.get("HX-Trigger-Name", "")
    text = request.form.get(name, "").strip()[:100].replace("\x00", "") if name.startswith("text-") else ""
    return render_page("segment_offers.html", offers=offer_texts(text, unit.path))


def _unit_of_query() -> Unit:
    unit_id = read_query(UnitQuery)["unit"]
    path = unit_path(g.session, unit_id or 0)
    g.actor.require(Permission.manage_segments, path)
    unit: Unit = g.session.get_one(Unit, unit_id)
    return unit


def _build(page: str, unit: Unit | None, now: tuple[str, list[RuleRow]], raw: str, **values: Any) -> Response:
    posted = request.method == "POST"
    joined, rows = now
    preview: dict[str, Any] = {"preview": None, "words": None}
    if posted:
        g.submitted = request.form
        joined, rows, raw = request.form.get("joined", "all"), read_rows(request.form), request.form.get("raw", "")
    adds = "add" in request.form and len(rows) < MOST_ROWS
    there = list_rule_values(g.session, g.actor, unit.id) if unit is not None else None
    if unit is not None and not adds and (posted or not raw) and (posted or rows):
        try:
            rule = _rule_of_form(unit.path)[0] if posted else join_rules(make_rules(rows, unit.path), joined)
            preview = _preview(unit, rule, there)
        except Invalid as error:
            g.form_errors = g.get("form_errors") or find_problem(error).errors
    if adds or not rows:
        rows = [*rows, RuleRow("")]
    options = _options(unit, there, rows, values.get("segment")) if unit is not None and there is not None else []
    offers = offer_texts("", unit.path) if unit is not None else []
    shown = render_page(
        page,
        unit=unit,
        rows=rows,
        joined=joined,
        raw=raw,
        options=options,
        offers=offers,
        most=MOST_ROWS,
        **preview,
        **values,
    )
    return make_response(shown, 422 if g.get("form_errors") else 200)


def _options(unit: Unit, there: RuleValues, rows: Sequence[RuleRow], own: Segment | None) -> Options:
    """What the rows of a rule of the unit can be, of what is `there`; `own`: the segment that is being changed."""
    found = segments.find_segments((unit.path,)).where(~Segment.rule.has_any(_OF_ONE_USE))
    usable = [
        (one.id, one.name)
        for one in g.session.scalars(found.order_by(Segment.name, Segment.id).limit(MOST_USABLE))
        if one is not own
    ]
    return list_options(there, rows, usable, _words_of_rows(unit, rows))


def _words_of_rows(unit: Unit, rows: Sequence[RuleRow]) -> dict[str, str]:
    """What a row that is chosen already says, for one that no list offers, such as a unit far below."""
    told = {}
    for row in rows:
        with suppress(Invalid, ValueError, RecursionError):
            rule = json.loads(row.choice)
            if isinstance(rule, dict) and rule.keys() & {"unit", "people", "segment", "list"}:
                told[row.choice] = rule
    words = describe_rules(g.session, g.actor, [(unit, rule) for rule in told.values()]) if told else []
    return {choice: translate_here(said) for choice, said in zip(told, words, strict=True)}


def _preview(unit: Unit, rule: dict[str, Any], there: RuleValues | None = None) -> dict[str, Any]:
    """Whom the rule finds now: in words, counted, by unit, and the first by name; and what of it finds nobody."""
    preview = segments.preview_audience(g.session, g.actor, unit.id, rule)
    words = describe_rule(g.session, g.actor, unit.id, rule)
    cautions = find_cautions(g.session, rule, unit, there)
    return {"words": words, "preview": preview, "by_unit": preview.units, "cautions": cautions}


def _preview_saved(unit: Unit, segment: Segment) -> dict[str, Any]:
    """The same of a segment within the unit; `why_not`: why it cannot be used there."""
    rule = segment.rule if unit.id == segment.unit_id else {"segment": segment.id}
    try:
        return {**_preview(unit, rule), "why_not": None}
    except Invalid as error:
        words = describe_rules(g.session, g.actor, [(unit, segment.rule)])[0]
        return {"words": words, "preview": None, "by_unit": (), "why_not": error.said}


def _first_below(unit: Unit) -> Unit:
    """The visitor's first unit below one that they may not read."""
    own = next(path for path in g.actor.scope(Permission.read) if path.startswith(unit.path))
    unit_below: Unit = g.session.scalars(select(Unit).where(Unit.path == own)).one()
    return unit_below


def _rule_of_form(path: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The rule that was written as JSON, or else the one of the rows, with the rules of these. Raises Invalid."""
    raw = request.form.get("raw", "")
    if raw.strip():
        return read_raw(raw), []
    rules = make_rules(read_rows(request.form), path)
    return join_rules(rules, request.form.get("joined", "all")), rules


def _read_rule(path: str) -> dict[str, Any]:
    rule, rules = _rule_of_form(path)
    g.actor.require(Permission.manage_segments, path)
    require_campaigns(g.session, g.actor, rule, path)
    require_somebody(g.session, rule, rules, path)
    return rule


def _name() -> str:
    return request.form.get("name", "").replace("\x00", "")


def _units(ids: set[int]) -> dict[int, Unit]:
    return {unit.id: unit for unit in g.session.scalars(select(Unit).where(Unit.id.in_(ids)))}
