"""Counts add up, keep to their scope, and every line leads to exactly its rows."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from sqlalchemy.orm import Session

from sms_service.controls.models import GatewayAccount
from sms_service.db.engine import Database
from sms_service.directory.models import Unit
from sms_service.errors import Invalid
from sms_service.ledger.models import Attempt, Run
from sms_service.ledger.states import AttemptStatus, MessageStatus
from sms_service.reports.counts import Count, check_identity, drill_down, tabulate_counts
from sms_service.reports.filters import DIMENSIONS, Filter
from sms_service.reports.identity import sum_identity
from sms_service.reports.messages import find_messages
from sms_service.reports.parts import TAKEN
from tests.dispatch.city import make_run
from tests.examples import count_examples
from tests.reports.ledger_rows import add_message, make_tree

DAYS = (date(2026, 11, 30), date(2026, 12, 1), date(2026, 12, 2))
FINAL = [status for status in MessageStatus if status not in ("claimed", "submitting")]

rows = st.lists(
    st.tuples(
        st.integers(0, 4),  # which unit
        st.integers(0, 2),  # which run
        st.sampled_from(FINAL),
        st.lists(st.tuples(st.sampled_from([*AttemptStatus]), st.integers(1, 3)), max_size=2),
    ),
    max_size=12,
)


@pytest.fixture
def tree(database: Database, session: Session) -> list[Unit]:
    """A city with two districts, of which the first has two branches: city, district, district, branch, branch."""
    return make_tree(session, DAYS)


@pytest.fixture
def runs(session: Session, tree: list[Unit]) -> list[Run]:
    """Three runs of the city's campaigns, on three days in two months."""
    made = []
    for day in DAYS:
        made.append(make_run(session, tree[0], day=day, month=day.replace(day=1), status="running", audience=0))
    session.commit()
    return made


def behind(session: Session, rows: Filter, line: Count) -> list[tuple[int, int, int]]:
    """(message, person, parts) of the rows that a line leads to."""
    query = drill_down(rows, line)
    given = {name: getattr(rows, name) for name in ("campaign_id", "run_id", "since", "until", "status")}
    paths = rows.paths
    if "unit" in query:
        paths = (session.get_one(Unit, int(query["unit"])).path,)
    for name, parameter in (
        *(("status", "status"), ("reason", "reason"), ("account", "account"), ("code", "code")),
        *(("class_", "class"), ("kind", "kind")),
    ):
        given[name] = query.get(parameter, given.get(name))
    for name, parameter in (
        *(("campaign_id", "campaign"), ("run_id", "run"), ("item", "item")),
        *(("template_id", "template"), ("category_id", "category")),
    ):
        given[name] = int(query[parameter]) if parameter in query else given.get(name)
    if "of_campaign" in query:
        given["of_campaign"] = query["of_campaign"] == "true"
    if "carrier" in query:
        given["carrier"] = query["carrier"]
    if "sender" in query:
        given |= {"sender": session.get_one(Unit, int(query["sender"])).path, "sender_subtree": False}
    for name in ("since", "until"):
        given[name] = date.fromisoformat(query[name]) if name in query else given[name]
    found = session.execute(find_messages(Filter(paths, subtree=query.get("subtree") != "false", **given)))
    return [(row.Message.id, row.Message.person_id, row.parts_taken) for row in found]


@settings(max_examples=count_examples(8), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows,
    st.lists(st.sampled_from(DIMENSIONS), max_size=3, unique=True),
    st.sampled_from([(0,), (1,), (3,), (1, 2), (2, 3)]),
)
def test_every_line_leads_to_its_rows_and_all_add_up(
    session: Session,
    tree: list[Unit],
    runs: list[Run],
    drawn: list[tuple[int, int, MessageStatus, list[tuple[AttemptStatus, int]]]],
    by: list[str],
    places: tuple[int, ...],
) -> None:
    with session.begin_nested() as undone:
        expected = []
        scope = tuple(tree[place].path for place in places)
        for unit, run, status, attempts in drawn:
            message = add_message(session, runs[run], tree[unit], status, attempts)
            if message.unit_path.startswith(scope):
                made = session.execute(select(Attempt.status, Attempt.parts).where(Attempt.message_id == message.id))
                taken = sum(parts for outcome, parts in made if outcome in TAKEN)
                expected.append((message.id, message.person_id, taken))
        filter_ = Filter(scope)
        table = tabulate_counts(session, filter_, by)
        followed = [row for line in table.lines for row in behind(session, filter_, line)]
        for line in [*table.lines, table.total]:
            rows_ = behind(session, filter_, line)
            assert line.messages == len(rows_)
            assert line.people == len({person for _, person, _ in rows_})
            assert line.parts == sum(parts for _, _, parts in rows_)
        assert table.total.messages == len(expected)
        if by:
            assert sorted(followed) == sorted(expected)
        undone.rollback()


def test_units_are_those_below_and_the_one_itself(session: Session, tree: list[Unit], runs: list[Run]) -> None:
    city, one, other, branch, _ = tree
    for unit in (city, one, branch, branch, other):
        add_message(session, runs[0], unit, "pending")

    def by_unit(*paths: str) -> dict[int, int]:
        return {
            line.by["unit"]["id"]: line.messages for line in tabulate_counts(session, Filter(paths), ["unit"]).lines
        }

    assert by_unit(city.path) == {city.id: 1, one.id: 3, other.id: 1}
    assert by_unit(one.path) == {one.id: 1, branch.id: 2}
    assert by_unit("/") == {city.id: 5}
    # Of different depth: each under its own name, never under that of a unit outside the scope.
    assert by_unit(other.path, branch.path) == {other.id: 1, branch.id: 2}
    own = Filter((one.path,), subtree=False)
    assert [line.messages for line in tabulate_counts(session, own, ["unit"]).lines] == [1]


def test_days_months_and_outcomes_filter(session: Session, tree: list[Unit], runs: list[Run]) -> None:
    for run in runs:
        add_message(session, run, tree[1], "delivered", [(AttemptStatus.refused, 2), (AttemptStatus.delivered, 2)])
        add_message(session, run, tree[1], "skipped")

    def total(**kw: object) -> tuple[int, int]:
        found = tabulate_counts(session, Filter((tree[0].path,), **kw), ()).total  # type: ignore[arg-type]
        return found.messages, found.parts

    assert total() == (6, 6)
    assert total(since=DAYS[1]) == (4, 4)
    assert total(until=DAYS[0]) == (2, 2)
    assert total(since=DAYS[0], until=DAYS[1], status="skipped") == (2, 0)
    assert total(reason="capped") == (3, 0)
    assert total(reason="") == (3, 6)
    assert total(account="main") == (3, 6)
    assert total(account="") == (3, 0)
    assert total(run_id=runs[2].id) == total(campaign_id=runs[2].campaign_id) == (2, 2)
    for kw in ({"since": DAYS[1], "until": DAYS[0]},):
        with pytest.raises(Invalid, match="until: must not be before"):
            total(**kw)
    with pytest.raises(Invalid, match="by: must be some of"):
        tabulate_counts(session, Filter((tree[0].path,)), ["colour"])


def test_the_identity_shows_a_row_that_is_missing(session: Session, tree: list[Unit], runs: list[Run]) -> None:
    run = runs[0]
    add_message(session, run, tree[1], "pending")
    run.audience = 1
    session.flush()
    assert (check_identity(session, run.id).statuses, check_identity(session, run.id).holds) == ({"pending": 1}, True)
    run.audience = 2
    session.flush()
    assert check_identity(session, run.id).holds is False
    run.status, run.audience = "planned", None
    session.flush()
    with pytest.raises(Invalid, match="not frozen yet"):
        check_identity(session, run.id)


def test_lines_have_names_and_a_person_in_several_is_explained(
    session: Session, tree: list[Unit], runs: list[Run]
) -> None:
    first = add_message(session, runs[0], tree[1], "pending")
    again = add_message(session, runs[1], tree[1], "pending")
    again.person_id = first.person_id
    session.flush()
    table = tabulate_counts(session, Filter((tree[0].path,)), ["campaign", "run"])
    assert [line.names for line in table.lines] == [{"campaign": "学习", "run": "学习"}] * 2
    said = table.explain_people()
    assert said is not None
    assert said.values == {"more": 1}
    assert tabulate_counts(session, Filter((tree[0].path,)), ["status"]).explain_people() is None


def test_the_identity_over_whole_runs(session: Session, tree: list[Unit], runs: list[Run]) -> None:
    for run in runs:
        add_message(session, run, tree[1], "pending")
        run.audience = 1
    session.flush()
    city = tree[0].path
    found = sum_identity(session, Filter((city,)))
    assert found is not None
    assert (found.runs, found.audience, found.messages, found.holds) == (3, 3, 3, True)
    found = sum_identity(session, Filter((city,), since=DAYS[1], until=DAYS[1], class_="notice", kind="campaign"))
    assert found is not None
    assert (found.runs, found.audience) == (1, 1)
    runs[2].audience = 2
    session.flush()
    found = sum_identity(session, Filter((city,), run_id=runs[2].id))
    assert found is not None
    assert found.holds is False
    assert sum_identity(session, Filter((tree[1].path,))) is None  # the runs are the city's
    for narrow in ({"status": "pending"}, {"reason": ""}, {"subtree": False}, {"account": "main"}, {"under": city}):
        assert sum_identity(session, Filter((city,), **narrow)) is None  # type: ignore[arg-type]


def test_class_kind_and_code_filter(session: Session, tree: list[Unit], runs: list[Run]) -> None:
    runs[0].class_, runs[1].kind = "study", "test"
    for run in runs:
        add_message(session, run, tree[1], "refused", [(AttemptStatus.refused, 1)]).raw_code = f"E{run.id}"
    session.flush()

    def total(**kw: object) -> int:
        return tabulate_counts(session, Filter((tree[0].path,), **kw), ()).total.messages  # type: ignore[arg-type]

    assert (total(class_="study"), total(kind="test"), total(kind="campaign")) == (1, 1, 2)
    assert (total(code=f"E{runs[2].id}"), total(code="")) == (1, 0)


def test_parts_cost_what_their_account_takes(session: Session, tree: list[Unit], runs: list[Run]) -> None:
    whole = Filter((tree[0].path,))
    taken = [add_message(session, runs[0], tree[0], "accepted", [("accepted", 2)]) for _ in range(3)]
    add_message(session, runs[0], tree[0], "skipped")
    assert tabulate_counts(session, whole, ["account"]).total.cost_fen is None
    name = session.scalars(
        select(GatewayAccount.name).where(GatewayAccount.id == taken[0].gateway_account_id)
    ).one_or_none()
    assert name is not None
    table = tabulate_counts(session, whole, ["account"], {name: 3.5, "another": 9.0})
    assert {line.by["account"]: line.cost_fen for line in table.lines} == {None: 0, name: 21}
    assert (table.total.parts, table.total.cost_fen) == (6, 21)
    unknown = tabulate_counts(session, whole, ["account"], {"another": 9.0})
    assert {line.by["account"]: line.cost_fen for line in unknown.lines} == {None: 0, name: None}
    assert unknown.total.cost_fen is None
