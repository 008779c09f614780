"""A small city, and rules read by a few lines of Python: what the SQL of a rule is compared with."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from zoneinfo import ZoneInfo

from hypothesis import assume
from hypothesis import strategies as st
from sqlalchemy import func, select, text

from sms_service.audience.attributes import ANNIVERSARIES, NUMBERS
from sms_service.audience.grammar import MAX_DEPTH, OUTCOMES
from sms_service.controls.accounts import synchronise_gateways
from sms_service.controls.models import GatewayAccount
from sms_service.directory.models import Contact
from sms_service.ledger.models import Message
from sms_service.ledger.question_models import QuestionRow
from sms_service.replies.gathering import REACHED
from sms_service.replies.models import AnswerRow, ReplyRow
from sms_service.schedules.attendance_models import Attendance
from tests.dispatch.city import ScriptedAdapter, ScriptedGateways, make_run
from tests.factories import make_person, make_segment, make_unit

TAGS, ROLES, KINDS, GENDERS = ["退休", "青年"], ["书记", "组织委员"], ["member", "contact"], ["男", "女"]
CAMPAIGN = 0  # stands for the earlier campaign until it is there
LEVELS = ["city", "district", "branch"]
CITY_TIME, FAR = "Asia/Shanghai", "Pacific/Auckland"  # the second district lives by another clock
TODAY = datetime.now(ZoneInfo(CITY_TIME)).date()


def years_ago(day, years):
    """The same day so many years before; the 28th of February where that year has no 29th."""
    try:
        return day.replace(year=day.year - years)
    except ValueError:
        return day.replace(year=day.year - years, day=28)


NEAR = [years_ago(TODAY, years) + timedelta(days=days) for years in (0, 1, 18) for days in (-1, 0, 1, 40)]
DATES = ["1985-03-01", "1990-01-01", "一九八五年", "20000101", "2000-02-29", *(day.isoformat() for day in NEAR)]
POINTS = ["100", "99.5", "-3", "+100", "0100", "１００", "100分", "1e3", "", "100.0"]
UNITS = range(6)  # 0 the city; 1, 2 districts; 3, 4 branches of 1; 5 a branch of 2


def build(session, people):
    """The units and `people` = [(unit, tags, kind, attributes, left, [(unit, role)])]."""
    city = make_unit(session, code="U0")
    districts = [make_unit(session, code=f"U{n}", parent=city, timezone=zone) for n, zone in ((1, CITY_TIME), (2, FAR))]
    units = [city, *districts]
    units += [
        make_unit(session, code=f"U{n}", parent=districts[above], level="branch")
        for n, above in ((3, 0), (4, 0), (5, 1))
    ]
    made = []
    for unit, tags, kind, attributes, left, roles in people:
        person = make_person(session, units[unit], tags=tags, kind=kind, attributes=attributes)
        person.left_at = func.now() if left else None
        session.add_all(Contact(person_id=person.id, unit_id=units[u].id, role=role) for u, role in set(roles))
        made.append(person)
    session.flush()
    return units, made


def as_number(text):
    """The number that a text is, written with digits of ours, or None."""
    try:
        return Decimal(text) if text is not None and text.isascii() and "e" not in text else None
    except InvalidOperation:
        return None


def compares(left, comparison, right):
    return {"less": left < right, "more": left > right, "at_least": left >= right, "at_most": left <= right}[comparison]


def whole_years(since, today):
    """Whole years since a date; None for one that lies ahead."""
    if since > today:
        return None
    years = today.year - since.year
    return years if years_ago(today, years) >= since else years - 1


def falls_on(born, when, today):
    """Whether the day and month of a date are those, in the year of today or of tomorrow."""
    if when.endswith("month"):
        return born.month == (today.month if when == "this_month" else today.month % 12 + 1)
    day = today if when == "today" else today + timedelta(days=1)
    try:
        return born.replace(year=day.year) == day
    except ValueError:
        return (day.month, day.day) == (2, 28)


def far_from(today, distance):
    unit, number = next(iter(distance.items()))
    if unit == "years_ago":
        return years_ago(today, number)
    return today + timedelta(days=number if unit == "days_ahead" else -number)


def holds_of_attribute(value, stored, today):
    comparison, operand = next((key, operand) for key, operand in value.items() if key != "name")
    match comparison:
        case "exists":
            return (stored is not None) == operand
        case "is":
            return stored == operand
        case "in":
            return stored in operand
        case "less" | "more" | "at_least" | "at_most":
            number = as_number(stored)
            return number is not None and compares(number, comparison, operand)
    if stored is None or len(stored) != 10:
        return False
    day = date.fromisoformat(stored)
    match comparison:
        case "age":
            years, (how, most) = whole_years(day, today), next(iter(operand.items()))
            return years is not None and compares(years, how, most)
        case "anniversary":
            return falls_on(day, operand, today)
    bound = far_from(today, operand) if isinstance(operand, dict) else date.fromisoformat(operand)
    return day < bound if comparison == "before" else day > bound


TEXTED = ("accepted", "unknown", "delivered", "undelivered", "no_receipt")
STATUSES = (*TEXTED, "skipped", "pending", "refused", "expired")


# What people answer: nothing, yes, no, or what is neither.
ANSWERS = (None, "Y", "能参加", " n ", "不去", "谢谢")
SAYS_NO = {"Y": False, "能参加": False, " n ": True, "不去": True}


def went(outcome, texts, came, heard):
    """Whether the outcome is that of one person: of their texts, each with its status and its answer, of whether they
    came, and of what was heard from their phone.
    """
    if outcome == "came":
        return came
    statuses = {status for status, _ in texts}
    texted = bool(statuses & {*TEXTED})
    answers = [answer for _, answer in texts if answer is not None]
    said = [SAYS_NO[answer] for answer in heard if answer in SAYS_NO]
    answered = bool(answers)
    outcomes = {
        "in_audience": True,
        "texted": texted,
        "delivered": "delivered" in statuses,
        "not_delivered": bool(statuses & {"undelivered", "no_receipt"}) and "delivered" not in statuses,
        "not_texted": not texted and "pending" not in statuses,
        "answered": answered,
        "not_answered": texted and not answered,
        "accepted": bool(said) and not said[-1],
        "declined": bool(said) and said[-1],
        "unanswered": bool(statuses & {*REACHED}) and not heard,
    }
    return bool(texts) and outcomes[outcome]


def oracle(rule, scope, units, people, made, saved=(), fates=()):
    """The pairs (person id, unit id) that the rule finds, by the words of its documentation."""
    today = datetime.now(ZoneInfo(FAR if scope == 2 else CITY_TIME)).date()

    def below(unit, above):
        return units[unit].path.startswith(units[above].path)

    def roles_asked(rule):
        key, value = next(iter(rule.items()))
        if key in ("all", "any"):
            return set().union(*(roles_asked(inner) for inner in value))
        if key == "segment":
            return roles_asked(saved[value][1])
        return roles_asked(value) if key == "not" else {value} if key == "role" else set()

    def holds(rule, place, unit):
        key, value = next(iter(rule.items()))
        _, tags, kind, attributes, _, roles = people[place]
        match key:
            case "all":
                return all(holds(inner, place, unit) for inner in value)
            case "any":
                return any(holds(inner, place, unit) for inner in value)
            case "not":
                return not holds(value, place, unit)
            case "everyone":
                return True
            case "unit":
                return below(unit, int(value["code"][1:]))
            case "role":
                return (unit, value) in roles
            case "tag":
                return value in tags
            case "kind":
                return kind == value
            case "segment":
                owner, own = saved[value]
                return holds(own, place, unit) and (below(scope, owner) or below(unit, owner))
            case "campaign":
                return bool(fates) and went(value["outcome"], *fates[place])
            case "level":
                return units[unit].level == value
        return holds_of_attribute(value, attributes.get(value["name"]), today)

    asked = roles_asked(rule)
    found = []
    for place, (person, row) in enumerate(zip(people, made, strict=True)):
        candidates = {person[0]} | {unit for unit, role in person[5] if role in asked}
        found += [
            (row.id, units[unit].id)
            for unit in candidates
            if not person[4] and below(unit, scope) and holds(rule, place, unit)
        ]
    return sorted(found)


# Of each person the texts of one earlier campaign, with status and answer, and whether they came; the texts of some are
# those of the first person, as where two share a phone.
SHARED = "shared"
_texts = st.lists(st.tuples(st.sampled_from(STATUSES), st.sampled_from(ANSWERS)), max_size=2)
fates = st.lists(
    st.tuples(st.one_of(st.just(SHARED), _texts), st.booleans()),
    min_size=10,
    max_size=10,
)


def ready(database):
    """What a campaign of before needs."""
    with database.session() as session:
        synchronise_gateways(session, ScriptedGateways({"main": ScriptedAdapter()}))
        session.execute(text("SELECT ensure_month(date_trunc('month', sms_now())::date)"))


def heard_from(texts):
    """The answers to these texts."""
    return [answer for _, answer in texts if answer is not None]


def send(session, units, made, fates):
    """An earlier campaign with these fates, in its ledger; returns its id and what became of each person's texts."""
    run = make_run(session, units[0], status="running", audience=0, launched_at=func.sms_now())
    question = QuestionRow(
        campaign_id=run.campaign_id, item=1, firing=1, unit_path=units[0].path, kind="rsvp", asks={},
        opened_at=func.sms_now(), closes_at=func.sms_now() + timedelta(days=1),
    )  # fmt: skip
    session.add(question)
    session.flush()
    run.question_id = question.id
    account_id = session.scalars(select(GatewayAccount.id)).first()
    found, sent = [], None
    for person, (texts, came) in zip(made, fates, strict=False):
        if came:
            seen = {"came": True, "recorded_at": func.sms_now()}
            session.add(Attendance(campaign_id=run.campaign_id, person_id=person.id, unit_id=units[0].id, **seen))
        if texts == SHARED:
            of_first = fates[0][0][:1] if sent is not None else []
            rows = [("skipped", None)] if of_first else []
            found.append((of_first, came, heard_from(fates[0][0]) if of_first else []))
        else:
            rows = texts
            found.append((texts, came, heard_from(texts)))
        for place, (status, answer) in enumerate(rows):
            shared = texts == SHARED
            message = Message(
                month=run.month, run_id=run.id, person_id=person.id, unit_id=units[place].id,
                unit_path=units[place].path, phone=f"+8613800{place}{person.id:06d}" if status == "pending" else None,
                class_="notice", template_version_id=run.template_version_id, route_id=run.route_id, status=status,
                reason=("duplicate_phone" if shared else "no_phone") if status == "skipped" else None,
                duplicate_of=sent if shared else None, not_before=func.sms_now(), expires_at=func.sms_now(),
                attempts=1, changed_at=func.sms_now(),
            )  # fmt: skip
            session.add(message)
            session.flush()
            if place == 0 and person is made[0]:
                sent = message.id
            if answer is not None:
                reply = {"gateway_account_id": account_id, "received_at": func.sms_now(), "part": 1, "parts": 1}
                reply["text"] = answer
                row = ReplyRow(**reply, month=run.month, message_id=message.id)
                session.add(row)
                session.flush()
                said = {False: "yes", True: "no", None: "free_text"}[SAYS_NO.get(answer)]
                session.add(AnswerRow(
                    question_id=question.id, month=run.month, message_id=message.id, person_id=person.id,
                    unit_path=units[place].path, said=said, at=func.sms_now(), reply_in_month=row.in_month,
                    reply_id=row.id,
                ))  # fmt: skip
                session.flush()
    session.flush()
    return run.campaign_id, found


attributes = st.fixed_dictionaries(
    {},
    optional={
        "gender": st.sampled_from(GENDERS),
        "joined_on": st.sampled_from(DATES),
        "points": st.sampled_from(POINTS),
    },
)
population = st.lists(
    st.tuples(
        st.sampled_from(UNITS),
        st.lists(st.sampled_from(TAGS), unique=True),
        st.sampled_from(KINDS),
        attributes,
        st.booleans(),
        st.lists(st.tuples(st.sampled_from(UNITS), st.sampled_from(ROLES)), max_size=3),
    ),
    max_size=10,
)


INSIDE = {0: UNITS, 1: (1, 3, 4), 2: (2, 5)}


def rules_within(scope, segments=()):
    """Rules for an audience of the unit; `segments`: those that they may use, by their place in the list."""
    leaf = st.one_of(
        *(st.just({"segment": number}) for number in segments),
        st.just({"everyone": True}),
        st.sampled_from(INSIDE[scope]).map(lambda n: {"unit": {"code": f"U{n}"}}),
        st.sampled_from(ROLES).map(lambda role: {"role": role}),
        st.sampled_from(TAGS).map(lambda tag: {"tag": tag}),
        st.sampled_from(KINDS).map(lambda kind: {"kind": kind}),
        st.sampled_from(OUTCOMES).map(lambda outcome: {"campaign": {"id": CAMPAIGN, "outcome": outcome}}),
        st.sampled_from(LEVELS).map(lambda level: {"level": level}),
        st.tuples(st.sampled_from(NUMBERS), st.sampled_from([100, 99.5, -3, 0])).map(
            lambda pair: {"attribute": {"name": "points", pair[0]: pair[1]}}
        ),
        st.tuples(st.sampled_from(NUMBERS), st.sampled_from([0, 1, 17, 18])).map(
            lambda pair: {"attribute": {"name": "joined_on", "age": {pair[0]: pair[1]}}}
        ),
        st.tuples(
            st.sampled_from(["before", "after"]),
            st.sampled_from(
                [{"years_ago": 1}, {"years_ago": 18}, {"days_ago": 0}, {"days_ahead": 40}, {"days_ago": 1}]
            ),
        ).map(lambda pair: {"attribute": {"name": "joined_on", pair[0]: pair[1]}}),
        st.sampled_from(ANNIVERSARIES).map(lambda when: {"attribute": {"name": "joined_on", "anniversary": when}}),
        st.sampled_from(
            [
                {"name": "gender", "is": "男"},
                {"name": "gender", "in": ["女", "其他"]},
                {"name": "gender", "exists": False},
                {"name": "joined_on", "exists": True},
                {"name": "joined_on", "before": "1990-01-01"},
                {"name": "joined_on", "after": "1985-03-01"},
                {"name": "joined_on", "after": "1985-02-28"},
            ]
        ).map(lambda comparison: {"attribute": comparison}),
    )
    return st.recursive(
        leaf,
        lambda inner: st.one_of(
            inner.map(lambda rule: {"not": rule}),
            st.lists(inner, min_size=1, max_size=3).map(lambda found: {"all": found}),
            st.lists(inner, min_size=1, max_size=3).map(lambda found: {"any": found}),
        ),
        max_leaves=6,
    )


@st.composite
def rules_with_segments(draw):
    """A scope, two saved segments (owner, rule), the second of which may use the first, and a rule that may use both.
    Segments belong to the scope, to the city above it, or to a district below.
    """
    scope = draw(st.sampled_from([0, 1, 2]))
    saved = []
    for number in range(2):
        owner = draw(st.sampled_from(sorted({0, scope, 1 if scope == 0 else scope})))
        saved.append((owner, draw(rules_within(owner if owner != 0 else scope, range(number)))))
    rule = draw(rules_within(scope, range(2)))
    assume(_levels(rule, saved) <= MAX_DEPTH)  # deeper ones are refused, see test_nesting.py
    return scope, saved, rule


def _levels(rule, saved):
    """How deep the rule is with its segments written out; one of a unit below stands beside that unit in an `all`."""
    key, value = next(iter(rule.items()))
    if key == "segment":
        return 1 + _levels(saved[value][1], saved)
    inner = value if key in ("all", "any") else [value] if key == "not" else []
    return 1 + max((_levels(one, saved) for one in inner), default=0)


def save(session, units, saved, campaign_id):
    """The segments' ids."""
    ids = []
    for owner, rule in saved:
        ids.append(make_segment(session, units[owner], name_segments(rule, ids, campaign_id)).id)
    return ids


def name_segments(rule, ids, campaign_id=None):
    """The rule with the ids of the segments that it names by their places, and that of the campaign."""
    key, value = next(iter(rule.items()))
    if key in ("all", "any"):
        return {key: [name_segments(inner, ids, campaign_id) for inner in value]}
    if key == "not":
        return {key: name_segments(value, ids, campaign_id)}
    if key == "campaign":
        return {key: {**value, "id": campaign_id}}
    return {key: ids[value]} if key == "segment" else rule
