"""What is odd about a campaign before it is sent: its text, its values, and what people of its audience would read."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from sms_service.audience.covering import TextKind
from sms_service.audience.listed import RowFault, find_row_faults, is_of_row
from sms_service.audience.measuring import measure_reach
from sms_service.audience.reach import Reach, Tried, is_dotted
from sms_service.campaigns.contents import Content
from sms_service.campaigns.items import Item
from sms_service.campaigns.picks import lint_picks
from sms_service.campaigns.quiz_asks import lint_quiz
from sms_service.campaigns.tried_texts import TriedTexts, sample_tried, try_content_texts
from sms_service.content.comparing import CannotRender
from sms_service.content.days import find_meant_date
from sms_service.content.fields import FieldKind, fields_of
from sms_service.content.findings import FindingKind, LintFinding, Severity, make_finding, sort_findings
from sms_service.content.language import get_compiled
from sms_service.content.lint import lint_body, lint_texts
from sms_service.content.policies import Rules, lint_policies, load_rules
from sms_service.content.signatures import lint_signature, load_standing
from sms_service.content.values import QUESTION, write_value
from sms_service.content.wordlists import WordLists, load_lists
from sms_service.directory.models import Unit
from sms_service.errors import Invalid
from sms_service.said import as_said, say

Known = tuple[WordLists, Mapping[str, Any], Rules]


def reach_content(session: Session, content: Content, path: str) -> tuple[Reach, TriedTexts]:
    """Whom the content would reach now, and the texts of all of them or of some."""
    own = _own(content)
    reach = measure_reach(session, content.segment_rule, path, own, _needed(content, own), _kind(content))
    return reach, try_content_texts(session, content, reach, own)


def lint_content(session: Session, content: Content, path: str) -> list[LintFinding]:
    """Every finding about the content, what is refused first; `path` is that of the campaign's unit. Of a campaign with
    a schedule: about each text that is still to go; what not all of them have names whose it is.
    """
    if not content.items:
        return lint_reached(session, content, path, *reach_content(session, content, path))
    shared, items = lint_items(session, content, path)
    return sort_findings([*shared, *(one for item in items for one in item.findings)])


@dataclass(frozen=True, slots=True)
class LintedItem:
    """An item that is still to go, whom it would reach, its text tried on people, and what is odd about it alone."""

    item: Item
    reach: Reach
    texts: TriedTexts
    findings: Sequence[LintFinding]


def lint_items(
    session: Session,
    content: Content,
    path: str,
    price_fen: float | None = None,
    asked: Known | None = None,
    of_next: Reach | None = None,
) -> tuple[list[LintFinding], list[LintedItem]]:
    """What is odd about all items that are still to go, where there are several, and each of them. `asked`: what is
    known for the campaign's own text, and `of_next`: whom its next text reaches if nothing narrows that, where they
    were asked for already.
    """
    known: dict[int, Known] = {} if asked is None else {content.version.id: asked}
    samples: dict[int, Sequence[Tried]] = {}
    items: list[LintedItem] = []
    for item, text, reach in reach_items(session, content, path, of_next):
        version_id, own = text.version.id, _own(text)
        texts = try_content_texts(session, text, replace(reach, tried=samples.get(id(reach), reach.tried)), own)
        samples.setdefault(id(reach), sample_tried(texts, reach))
        known[version_id] = known.get(version_id) or _load_known(session, text, path)
        findings = lint_reached(session, text, path, reach, texts, price_fen, known[version_id])
        items.append(LintedItem(item, reach, texts, findings))
    shared = [one for one in items[0].findings if all(one in other.findings for other in items)] if items[1:] else []
    return shared, [replace(one, findings=_name_findings(one, shared)) for one in items]


def _name_findings(linted: LintedItem, shared: Sequence[LintFinding]) -> list[LintFinding]:
    """Those of the item that not all have, by whose they are."""
    item, own = linted.item, (one for one in linted.findings if one not in shared)
    return [
        replace(one, key=f"{item.number}:{one.key}", place=say("{place} of {item}", place=one.place, item=item.label))
        for one in own
    ]


def reach_items(
    session: Session, content: Content, path: str, of_next: Reach | None = None
) -> Iterator[tuple[Item, Content, Reach]]:
    """Each item that is still to go, its text, and whom it would reach now if nothing narrowed that: what does is who
    got another item, which nobody knows yet. Items whose texts ask the same of people are measured once; `of_next`:
    what was measured already, of the text that goes next.
    """
    measured: dict[tuple[tuple[str, ...], tuple[str, ...], TextKind], Reach] = {}
    if of_next is not None:
        measured[_asked(content.next_text())] = of_next
    for item in content.items:
        if item.skipped or (item.next_at is None and item.fired_at is not None):
            continue
        text = replace(content.of_item(item), segment_rule=content.segment_rule)
        asked = _asked(text)
        if asked not in measured:
            measured[asked] = measure_reach(session, content.segment_rule, path, *asked)
        yield item, text, measured[asked]


def lint_reached(
    session: Session,
    content: Content,
    path: str,
    reach: Reach,
    texts: TriedTexts,
    price_fen: float | None = None,
    known: Known | None = None,
) -> list[LintFinding]:
    """The same where it is known whom it reaches; `price_fen`: of a part, if it is known; `known`: the unit's lists of
    words, the standing of the signature and the rules of the route's accounts, where they were asked for already.
    """
    campaign, version, values = content.campaign, content.version, content.values
    own = _own(content)
    faults = find_row_faults(session, content.segment_rule, own)
    found = _lint_rows(faults) + _lint_missing(reach, {fault.name for fault in faults}) + lint_picks(session, content)
    unit = session.get_one(Unit, campaign.unit_id)
    lists, standing, rules = known or _load_known(session, content, path)
    found += lint_quiz(content.asks, content.pool, version.variables)
    found += lint_signature(standing, campaign.signature)
    if texts.fault is not None and not reach.lacking:
        severity = Severity.note if texts.made else Severity.refused
        place, remedy = as_said("the text"), as_said("correct the values or the text")
        found.append(make_finding(FindingKind.unrendered, severity, "", place, texts.fault, remedy))
    try:
        get_compiled(version.id, version.body)
        found += lint_body(version.body, content.class_, fields_of(version), values)
        found += _lint_days(session, content, ZoneInfo(unit.timezone))
    except CannotRender:
        pass  # said above
    made = [("" if texts.same else tried.name, text) for tried, text in texts.made]
    found += lint_texts(made, content.class_, lists, price_fen)
    found += lint_policies(rules, made, (unit.window_opens, unit.window_closes))
    return sort_findings(found)


def require_ticks(findings: Iterable[LintFinding], ticked: Collection[str]) -> list[LintFinding]:
    """The findings that an approver ticked. Raises Invalid("ticks", …) for one that needs a tick and has none."""
    needed = [one for one in findings if one.severity == Severity.tick]
    for one in needed:
        if one.key not in ticked:
            raise Invalid("ticks", one.key, say("tick that you have seen this: {text}", text=one.text))
    return needed


def _lint_rows(faults: Iterable[RowFault]) -> list[LintFinding]:
    """Variables that no list can fill for this segment."""
    place = as_said("the list")
    return [make_finding(FindingKind.no_row, Severity.refused, one.name, place, one.text, one.remedy) for one in faults]


def _lint_days(session: Session, content: Content, zone: ZoneInfo) -> list[LintFinding]:
    """Values that name a day which is over when the texts leave: 本周六 on a Sunday."""
    dated = [one.name for one in fields_of(content.version) if one.kind in (FieldKind.date, FieldKind.moment)]
    written = {name: write_value(content.values[name]) for name in dated if content.values.get(name)}
    if not written:
        return []
    now: datetime = session.scalars(select(func.sms_now())).one()
    leaves = content.campaign.planned_at if content.item is None else content.item.next_at
    read_on = max(now, leaves or now).astimezone(zone).date()
    found, remedy = [], as_said("make sure that the day is right")
    for name, value in written.items():
        meant = find_meant_date(value, read_on)
        if meant is not None and meant < read_on:
            text, place = (
                say("{value} is over when the texts leave", value=value),
                say("the value of {name}", name=name),
            )
            found.append(make_finding(FindingKind.past_day, Severity.note, name, place, text, remedy))
    return found


def _lint_missing(reach: Reach, told: Collection[str]) -> list[LintFinding]:
    """Variables that people have no value of, but for those of which more is `told`."""
    found = []
    for name, number in reach.lacking.items():
        if name in told:
            continue
        if name == QUESTION:
            text, remedy = as_said("the campaign asks no quiz"), as_said("choose what it asks, or another template")
            place = as_said("the quiz")
            found.append(make_finding(FindingKind.no_question, Severity.refused, name, place, text, remedy))
            continue
        place = say("the value of {name}", name=name)
        if is_dotted(name) and not is_of_row(name):
            text = say("the campaign has no {name}", name=name)
            message = "choose a row of the list {list} that has it, or give it a default in the template"
            remedy = say(message, list=name.partition(".")[0])
            found.append(make_finding(FindingKind.nobody_has, Severity.refused, name, place, text, remedy))
        elif number >= reach.phones > 0:
            text = say("neither the campaign nor anybody of its audience has {name}", name=name)
            remedy = as_said("fill it in, or give it a default in the template")
            found.append(make_finding(FindingKind.nobody_has, Severity.refused, name, place, text, remedy))
        else:
            text = say("{number} people have no {name}; they are refused, not texted", number=number, name=name)
            remedy = as_said("fill it in for them, or give it a default in the template")
            found.append(
                make_finding(FindingKind.missing, Severity.note, name, place, text, remedy, reach.without.get(name, ()))
            )
    return found


def _load_known(session: Session, content: Content, path: str) -> Known:
    campaign, unit = content.campaign, session.get_one(Unit, content.campaign.unit_id)
    return (
        load_lists(session, path),
        load_standing(session, path, campaign.route_id, campaign.signature),
        load_rules(session, campaign.route_id, content.version.id, unit.demonstration),
    )


def _asked(content: Content) -> tuple[tuple[str, ...], tuple[str, ...], TextKind]:
    """What a text asks of people, and of which kind it is."""
    own = _own(content)
    return tuple(own), tuple(_needed(content, own)), _kind(content)


def _kind(content: Content) -> TextKind:
    return TextKind(content.class_, content.campaign.signature)


def _own(content: Content) -> list[str]:
    """The variables that each recipient fills; not the question that is drawn for them."""
    given = {*content.values, QUESTION} if content.pool else content.values
    return [name for name in content.version.variables if name not in given]


def _needed(content: Content, own: Sequence[str]) -> list[str]:
    try:
        required = get_compiled(content.version.id, content.version.body).required
    except CannotRender:
        return []
    return [name for name in required if name in own]
