"""What will happen if a campaign is sent: to whom, what it says, what it costs, and when it is through."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from types import SimpleNamespace
from zoneinfo import ZoneInfo

from sqlalchemy import func, literal, select
from sqlalchemy.orm import Session

from sms_service.accounts.actors import Actor
from sms_service.accounts.permissions import Permission
from sms_service.audience.reach import Reach, Skipped, UnitReach, Window
from sms_service.campaigns.contents import Content, content_of
from sms_service.campaigns.item_outlook import ItemOutlook, foresee_items
from sms_service.campaigns.linting import Known, lint_content, lint_reached, reach_content
from sms_service.campaigns.moving import require_on_campaign
from sms_service.campaigns.quotas import (
    QuotaStanding,
    find_month,
    foresee_lacks,
    read_standing,
    select_line_quotas,
)
from sms_service.campaigns.similar import SimilarRun, find_similar_runs
from sms_service.campaigns.tried_texts import TriedTexts
from sms_service.content.findings import LintFinding, sort_findings
from sms_service.controls.caps import count_capped
from sms_service.controls.quiet_days import select_quiet_dates
from sms_service.controls.stops import is_stopped
from sms_service.db.json_rows import rows_as_json
from sms_service.directory.models import Unit
from sms_service.dispatch.forecast import Leaving, foresee_leaving
from sms_service.dispatch.routing import find_first_accounts
from sms_service.ledger.quotas import Amounts
from sms_service.said import Said, say
from sms_service.vocabulary import MessageReason, Words

_COMPARED = 200  # people of whom it is asked what they were sent lately


class Caution(Words):
    """What somebody should know before they send."""

    nobody = "nobody"  # no text would leave
    stopped = "stopped"  # a stop holds back texts, or some of them
    no_account = "no_account"  # no gateway account of the route takes texts now
    cap_reached = "cap_reached"  # people have had as many texts of its class on that day as the caps allow
    quiet_day = "quiet_day"  # texts of its class do not leave on the day on which it would begin
    waits = "waits"  # it begins later than at its time, since the window is closed then
    interrupted = "interrupted"  # the window closes before all have left
    expires = "expires"  # its validity ends before all have left
    unrendered = "unrendered"  # texts cannot be made for some people
    similar = "similar"  # people of this audience were sent the like in the last seven days
    quota = "quota"  # a quota has not enough left, and somebody above must release the run


@dataclass(frozen=True, slots=True)
class Warned:
    """A caution, and the sentence that says what it is about."""

    caution: Caution
    text: Said


@dataclass(frozen=True, slots=True)
class Shown:
    """The text that a real person would get."""

    person_id: int
    person: str
    unit_id: int
    unit: str
    text: str
    parts: int


@dataclass(frozen=True, slots=True)
class Outlook:
    """What will happen if the campaign is sent `at`.

    `people`: recipients in all; `phones` get a text each, the others are `skipped` by reason. Of an audience of at most
    1,000 recipients, `named` has those who are skipped, at most 30 by reason. `units`: recipients by the units right
    below, as `Reach` has them. `texts`: the shortest, the median and the longest, of one person each; one alone where
    all people get the same. `parts`, of all texts: an estimate from `tried` texts unless `exact`; None where no text
    can be made. `cost_fen`, and `price_fen` of a part: None unless the price is known. `findings`: what is odd about
    it, see `content.lint`. `begins` and `through`: when the first and the last text leave if no other run takes their
    turn; None where none would. `items`: of a campaign with a schedule, what each text will do that is still to go; all
    else is about the one that goes next, but for `findings`, which are those of all.
    """

    at: datetime
    people: int
    phones: int
    skipped: Mapping[MessageReason, int]
    named: Mapping[MessageReason, Sequence[Skipped]]
    units: Sequence[UnitReach]
    texts: Sequence[Shown]
    parts: int | None
    exact: bool
    tried: int
    cost_fen: int | None
    price_fen: float | None
    begins: datetime | None
    through: datetime | None
    similar: Sequence[SimilarRun]
    warnings: Sequence[Warned]
    findings: Sequence[LintFinding]
    items: Sequence[ItemOutlook] = ()


def foresee_run(
    session: Session,
    actor: Actor,
    campaign_id: int,
    rates: Mapping[str, float],
    prices: Mapping[str, float],
    at: datetime | None = None,
) -> Outlook:
    """What will happen if the campaign is sent `at` that time (aware), by default at its planned time or, without
    one, now; nothing is changed.

    `rates` (parts per second) and `prices` (fen for a part) by gateway account, as gateways.toml has them. Raises
    NotFound, Forbidden, or Invalid for a segment whose rule cannot be used any more.
    """
    campaign, path = require_on_campaign(session, actor, Permission.read, campaign_id)
    return foresee_content(session, actor, content_of(session, campaign, held=False), path, rates, prices, at)


def lint_campaign(session: Session, actor: Actor, campaign_id: int) -> list[LintFinding]:
    """What is odd about the campaign as it stands, what is refused first. Raises NotFound, Forbidden, or Invalid for a
    segment whose rule cannot be used any more.
    """
    campaign, path = require_on_campaign(session, actor, Permission.read, campaign_id)
    return lint_content(session, content_of(session, campaign, held=False), path)


def foresee_content(
    session: Session,
    actor: Actor,
    content: Content,
    path: str,
    rates: Mapping[str, float],
    prices: Mapping[str, float],
    at: datetime | None = None,
    known: tuple[datetime, bool, Known] | None = None,
) -> Outlook:
    """The same of a content that was read already; `path` is that of the campaign's unit, which the actor may read. Of
    a campaign with a schedule: what happens when its next item fires, and what is odd about any that is still to go.

    `known`: what time it is, whether a stop holds back its texts, and what lint has to know of its unit, where that
    was asked already.
    """
    whole, content = content, content.next_text()
    campaign = content.campaign
    unit = session.get_one(Unit, campaign.unit_id)
    stops = is_stopped(literal(path), literal(campaign.route_id))
    now, stopped, for_lint = known or (*session.execute(select(func.sms_now(), stops)).one(), None)
    at = max(at or (content.item.next_at if content.item else campaign.planned_at) or now, now)
    reach, texts = reach_content(session, content, path)
    version_id = content.version.id
    accounts = find_first_accounts(
        session.connection(), campaign.route_id, version_id, unit.demonstration, rates.keys()
    )
    mean = texts.mean_parts
    window = Window(unit.timezone, unit.window_opens, unit.window_closes)
    until = at + timedelta(seconds=campaign.validity_s)
    quiet, line = _ask_calendar_and_quotas(session, path, content.class_, find_month(session, unit, at))
    leaving = Leaving(None, None, False, 0.0)
    if mean is not None and accounts:
        parts = {share: mean * phones for share, phones in reach.windows.items()}
        leaving = foresee_leaving(at, until, window, parts, sum(rates[name] for name in accounts), quiet)
    people = {tried.person_id for tried in reach.tried[:: len(reach.tried) // _COMPARED + 1]}
    read = {text.text for tried, text in texts.made if texts.same or tried.person_id in people}
    similar = find_similar_runs(session, actor, content, path, people, read)
    total, price = None if mean is None else round(mean * reach.phones), _price(accounts, prices)
    cost = None if total is None or price is None else round(total * price)
    lacks = foresee_lacks(line, Amounts(reach.phones, total or 0, cost or 0))
    of_next = reach if content.item and not content.item.rule else None
    shared, items = foresee_items(session, whole, path, price, for_lint, of_next) if whole.items else ([], [])
    return Outlook(
        at=at,
        people=reach.people,
        phones=reach.phones,
        skipped=reach.skipped,
        named=reach.named,
        units=reach.units,
        texts=_show(texts),
        parts=total,
        exact=texts.same or (texts.fault is None and len(texts.made) == reach.phones),
        tried=len(texts.made),
        cost_fen=cost,
        price_fen=price,
        begins=leaving.begins,
        through=leaving.through,
        similar=similar,
        warnings=[
            *_warn(reach, texts, leaving, at, accounts, stopped, mean),
            *_warn_of_caps(session, content, reach, leaving.begins or at, unit),
            *_warn_of_quiet_day(quiet, at, unit),
            *(Warned(Caution.quota, said) for said in lacks),
            *map(_warn_of_similar, similar),
        ],
        items=items,
        findings=sort_findings([*shared, *(one for item in items for one in item.findings)])
        if whole.items
        else lint_reached(session, content, path, reach, texts, price, for_lint),
    )


def _ask_calendar_and_quotas(
    session: Session, path: str, class_: str, month: date
) -> tuple[dict[date, str], list[QuotaStanding]]:
    asked = select(rows_as_json(select_quiet_dates(path, class_)), rows_as_json(select_line_quotas(path, month)))
    days, line = session.execute(asked).one()
    quiet = {date.fromisoformat(one["day"]): one["name"] for one in days or ()}
    return quiet, [read_standing(SimpleNamespace(**one | {"month": month})) for one in line or ()]


def _show(texts: TriedTexts) -> list[Shown]:
    last = len(texts.made) - 1
    places = dict.fromkeys((0, last // 2, last)) if texts.made else ()
    chosen = [texts.made[place] for place in places]
    return [
        Shown(tried.person_id, tried.name, tried.unit_id, tried.unit, text.text, text.parts) for tried, text in chosen
    ]


def _price(accounts: Mapping[str, int], prices: Mapping[str, float]) -> float | None:
    """Fen for a part, by the accounts' shares; None if one has no price."""
    if not accounts or not accounts.keys() <= prices.keys():
        return None
    return sum(prices[name] * weight for name, weight in accounts.items()) / sum(accounts.values())


def _warn(
    reach: Reach,
    texts: TriedTexts,
    leaving: Leaving,
    at: datetime,
    accounts: Mapping[str, int],
    stopped: bool,
    mean: float | None,
) -> list[Warned]:
    found = []
    if reach.phones == 0:
        found.append(Warned(Caution.nobody, say("nobody would get a text")))
    if stopped:
        found.append(Warned(Caution.stopped, say("a stop holds back texts of this campaign until it is released")))
    if not accounts:
        found.append(Warned(Caution.no_account, say("no gateway account of its route takes texts now")))
    if leaving.begins is not None and leaving.begins > at:
        found.append(Warned(Caution.waits, say("the window is closed then; the texts wait until it opens")))
    if leaving.interrupted:
        closes = say("the window closes before all texts have left; the others leave when it opens again")
        found.append(Warned(Caution.interrupted, closes))
    if leaving.expired > 0 and mean:
        late = max(1, round(leaving.expired / mean))
        expire = say("about {number} texts would not have left when their validity ends, and expire", number=late)
        found.append(Warned(Caution.expires, expire))
    for name, number in reach.lacking.items():
        lack = say("{number} people have no {name}; they are refused, not texted", number=number, name=name)
        found.append(Warned(Caution.unrendered, lack))
    if texts.fault is not None and not reach.lacking:
        found.append(Warned(Caution.unrendered, say("some texts cannot be made: {fault}", fault=texts.fault)))
    return found


def _warn_of_caps(session: Session, content: Content, reach: Reach, at: datetime, unit: Unit) -> Iterator[Warned]:
    """Of a large audience those who are tried stand for all."""
    day = at.astimezone(ZoneInfo(unit.timezone)).date()
    capped = count_capped(session, ((tried.person_id, tried.unit_id) for tried in reach.tried), content.class_, day)
    if not capped:
        return
    all_tried = len(reach.tried) == reach.phones
    number = capped if all_tried else max(1, round(capped / len(reach.tried) * reach.phones))
    exactly = "{number} people have had all texts of this class that a phone may get on {day}; theirs are skipped"
    roughly = "about {number} people have had all texts of this class that a phone may get on {day}; theirs are skipped"
    yield Warned(Caution.cap_reached, say(exactly if all_tried else roughly, number=number, day=day))


def _warn_of_quiet_day(quiet: Mapping[date, str], at: datetime, unit: Unit) -> Iterator[Warned]:
    day = at.astimezone(ZoneInfo(unit.timezone)).date()
    if day in quiet:
        said = say("{day} is a quiet day ({name}); the texts wait for the day after", day=day, name=quiet[day])
        yield Warned(Caution.quiet_day, said)


def _warn_of_similar(run: SimilarRun) -> Warned:
    at = run.launched_at.isoformat(timespec="minutes")
    if run.campaign is None:
        by_unit = say("people of this audience were sent the like by {unit} at {at}", unit=run.unit, at=at)
        return Warned(Caution.similar, by_unit)
    by_campaign = "people of this audience were sent the like by campaign {campaign} at {at}"
    return Warned(Caution.similar, say(by_campaign, campaign=run.campaign, at=at))
