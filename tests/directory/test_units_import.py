"""The tree from files: parents in any order, moves, and what does not make a tree."""

import pytest
from factories import make_actor, make_unit
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from sms_service.accounts.actors import SYSTEM
from sms_service.directory.import_models import ImportProblem
from sms_service.directory.importing import problems_of
from sms_service.directory.models import LEVELS, Unit
from sms_service.errors import Forbidden
from tests.bringing import bring
from tests.examples import count_examples

HEADER = "组织编码,名称,层级,上级编码,全称"
TREE = [
    "01,云州市,市,,云州市",
    "0101,城东区,区县,01,云州市/城东区",
    "0101001,李店街道,street,0101,云州市/城东区/李店街道",
]


def load(session, *rows, actor=SYSTEM, header=HEADER, **kw):
    return bring(session, "units", "\n".join([header, *rows]), "units.csv", actor, **kw)


def outcome(record):
    return (record.created, record.changed + record.moved, record.unchanged, record.refused)


def problems(session, record):
    found = session.scalars(problems_of(record).order_by(ImportProblem.row, ImportProblem.id))
    return [(problem.row, problem.column, problem.refused) for problem in found]


def unit(session, code):
    return session.scalars(select(Unit).where(Unit.code == code)).one()


def assert_is_a_tree(session):
    units = {unit.id: unit for unit in session.scalars(select(Unit))}
    for unit in units.values():
        parent = units[unit.parent_id] if unit.parent_id else None
        assert unit.path == f"{parent.path if parent else '/'}{unit.id}/"
        assert parent is None or LEVELS.index(parent.level) < LEVELS.index(unit.level)


def test_parents_may_stand_below_their_children(session):
    record = load(session, *reversed(TREE))
    assert outcome(record) == (3, 0, 0, 0)
    assert_is_a_tree(session)
    assert unit(session, "0101001").level == "street"
    assert outcome(load(session, *TREE)) == (0, 0, 3, 0)


def test_a_unit_that_moves_takes_its_subtree_along(session):
    load(session, *TREE, "0102,临江区,区,01,", "01010010001,第一党支部,支部,0101001,")
    record = load(session, "0101001,李店街道,街道,0102,云州市/临江区/李店街道")
    assert outcome(record) == (0, 1, 0, 0)
    session.expire_all()
    assert_is_a_tree(session)
    assert unit(session, "01010010001").path.startswith(unit(session, "0102").path)


@pytest.mark.parametrize(
    ("rows", "refused"),
    [
        (["0101,城东区,区,99,"], {2: "上级编码"}),
        (["0101,城东区,区,0102,", "0102,临江区,区,0101,"], {2: "上级编码", 3: "上级编码"}),
        (["0101,城东区,村,,"], {2: "层级"}),
        (["0101,,区,01,"], {2: "名称"}),
        ([",城东区,区,01,"], {2: "组织编码"}),
        (["01,云州市,市,,", "0101,城东区,区,01,,多"], {3: "F"}),
        (["01,云州市,市,,", "02,另一个,市,01,"], {3: "层级"}),
        # One refused row leaves those below it without a place.
        (
            ["01,云州市,村,,", "0101,城东区,区,01,", "0101001,李店街道,街道,0101,"],
            {2: "层级", 3: "上级编码", 4: "上级编码"},
        ),
        (["01,云州市,市,,", "01,别的市,市,,"], {3: "组织编码"}),
    ],
)
def test_rows_that_make_no_tree_are_refused(session, rows, refused):
    record = load(session, *rows)
    assert {row: column for row, column, is_refused in problems(session, record) if is_refused} == refused
    assert outcome(record) == (len(rows) - len(refused), 0, 0, len(refused))
    assert_is_a_tree(session)


def test_a_circle_through_units_that_are_not_in_the_file(session):
    load(session, *TREE)
    record = load(session, "01,云州市,市,0101001,")
    assert problems(session, record) == [(2, "上级编码", True)]
    assert outcome(record) == (0, 0, 0, 1)


def test_a_level_that_would_stand_wrong_above_units_not_in_the_file(session):
    load(session, *TREE)
    record = load(session, "0101,城东区,branch,01,")
    assert problems(session, record) == [(2, "层级", True)]


def test_a_full_name_that_contradicts_the_tree_is_noted(session):
    record = load(session, TREE[0], "0101,城东区,区,01,云州市/城西区")
    assert problems(session, record) == [(3, "全称", False)]
    assert outcome(record) == (2, 0, 0, 0)


def test_new_units_start_with_their_parents_window_and_mark(session):
    load(session, TREE[0], demonstration=True)
    top = unit(session, "01")
    top.timezone, top.window_opens, top.window_closes = "Asia/Urumqi", 600, 1320
    session.flush()
    load(session, *TREE)
    below = unit(session, "0101001")
    assert (below.timezone, below.window_opens, below.window_closes, below.demonstration) == (
        "Asia/Urumqi",
        600,
        1320,
        True,
    )


def test_nothing_moves_between_the_demonstration_and_real_units(session):
    real = make_unit(session, code="02", level="city")
    load(session, *TREE, demonstration=True)
    record = load(session, "0101,城东区,区,02,")
    assert outcome(record) == (0, 0, 0, 1)
    assert not unit(session, "0101").path.startswith(real.path)


def test_an_administrator_changes_the_own_subtree_only(session):
    load(session, *TREE, "0102,临江区,区,01,")
    actor = make_actor(session, unit(session, "0101"), roles=("administrator",))
    record = load(
        session,
        "0101,城东新区,区,01,",
        "0101001,李店街道,街道,0102,",
        "0102001,别的街道,街道,0102,",
        "0101002,建设街道,街道,0101,",
        "01010020001,新支部,支部,0101002,",
        "03,第二个市,市,,",
        actor=actor,
    )
    assert outcome(record) == (2, 1, 0, 3)
    assert [row for row, _, refused in problems(session, record) if refused] == [3, 4, 7]
    assert unit(session, "0101").name == "城东新区"
    assert_is_a_tree(session)
    with pytest.raises(Forbidden):
        load(session, actor=make_actor(session, unit(session, "0101"), roles=("officer",)))


def test_a_missing_column_stops_the_import(session):
    refused = load(session, "01,云州市,市", header="组织编码,名称,层级")
    assert (refused.state, "上级编码" in refused.said_notice) == ("failed", True)


codes = st.sampled_from("ABCDEFG")
rows = st.lists(
    st.tuples(codes, st.sampled_from(LEVELS), st.none() | codes).map(lambda r: f"{r[0]},名{r[0]},{r[1]},{r[2] or ''},"),
    max_size=12,
)


@settings(max_examples=count_examples(8), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(files=st.lists(rows, min_size=1, max_size=3))
def test_whatever_files_say_a_tree_remains_and_every_row_is_accounted_for(session, files):
    for file in files:
        record = load(session, *file)
        assert record.rows == len(file) == sum(outcome(record))
        assert len({row for row, _, refused in problems(session, record) if refused}) == record.refused
        assert_is_a_tree(session)
        again = load(session, *file)
        assert (again.created, again.changed, again.refused) == (0, 0, record.refused)
    session.rollback()


def test_no_reason_tells_of_units_outside_the_scope(session):
    load(session, *TREE, "0102,临江区,区,01,", "0102001,河西街道,街道,0102,")
    district = make_actor(session, unit(session, "0101"), ("administrator",))
    record = load(
        session,
        "0102,临江区,支部,0101,",  # above a street of theirs
        "0101009,某街道,区,0102001,",  # beside a street of theirs
        "0101,城东区,区,01,",  # the top of the scope, as it is
        actor=district,
    )
    assert outcome(record) == (0, 0, 1, 2)
    reasons = session.scalars(select(ImportProblem.reason).order_by(ImportProblem.row, ImportProblem.id)).all()
    assert reasons == ["lies outside the scope of this import", "would be placed outside the scope of this import"]
