"""Reference lists: who may change and use them, what a file makes of them, and what is refused."""

from __future__ import annotations

import io
from collections.abc import Callable
from itertools import product

import openpyxl
import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from sms_service.accounts.actors import SYSTEM, Actor
from sms_service.audit.models import TrailEntry
from sms_service.content import list_drafts, lists
from sms_service.content.list_drafts import apply_list_draft, plan_list_draft, upload_list_file
from sms_service.content.list_files import write_list_file
from sms_service.content.list_models import ReferenceDraft, ReferenceList, ReferenceRow
from sms_service.directory.models import Unit
from sms_service.errors import Conflict, Forbidden, Invalid, NotFound
from tests.factories import make_actor, make_template, make_unit

VENUES = "场地,地址(address),电话\n市民中心,南京路1号,88880000\n图书馆,人民路2号,\n"


@pytest.fixture
def city(session: Session) -> Unit:
    return make_unit(session)


@pytest.fixture
def venues(session: Session, city: Unit) -> ReferenceList:
    return filled(session, city)


def filled(session: Session, unit: Unit, content: str = VENUES, name: str = "venue") -> ReferenceList:
    made = lists.add_reference_list(session, SYSTEM, unit.id, name, "场地")
    return replaced(session, made, content)


def replaced(session: Session, found: ReferenceList, content: str | bytes) -> ReferenceList:
    data = content if isinstance(content, bytes) else content.encode()
    plan = upload_list_file(session, SYSTEM, found.id, data, "场地.csv")
    assert plan.refused == ()
    return apply_list_draft(session, SYSTEM, found.id, plan.draft_id, plan.version)


def rows_of(session: Session, found: ReferenceList, **kw: bool) -> dict[str, dict[str, str]]:
    statement = lists.find_rows(found.id, **kw).order_by(ReferenceRow.place)
    return {row.name: row.values for row in session.scalars(statement)}


def workbook(*rows: tuple[object, ...]) -> bytes:
    book, data = openpyxl.Workbook(), io.BytesIO()
    for row in rows:
        book.active.append(row)
    book.save(data)
    return data.getvalue()


def test_a_file_brings_columns_and_rows(session: Session, venues: ReferenceList) -> None:
    assert lists.columns_of(venues) == [("name", "场地"), ("address", "地址"), ("电话", "电话")]
    assert rows_of(session, venues) == {
        "市民中心": {"address": "南京路1号", "电话": "88880000"},
        "图书馆": {"address": "人民路2号"},
    }


def test_the_plan_says_what_is_added_changed_and_gone_and_is_applied_as_a_whole(
    session: Session, venues: ReferenceList
) -> None:
    old = session.scalars(select(ReferenceRow.id).where(ReferenceRow.name == "图书馆")).one()
    data = workbook(
        ("场地", "地址", "容纳人数"), ("市民中心", "南京路8号", 300), ("新时代文明实践站", "解放路3号", None)
    )
    plan = upload_list_file(session, SYSTEM, venues.id, data, "场地.xlsx")
    assert (plan.added, plan.gone, plan.same) == (("新时代文明实践站",), ("图书馆",), 0)
    assert plan.changed == {
        "市民中心": {"address": ("南京路1号", "南京路8号"), "电话": ("88880000", ""), "容纳人数": ("", "300")}
    }
    assert [one.name for one in plan.columns_gone] == ["电话"]
    assert [one.name for one in plan.columns_added] == ["容纳人数"]
    assert len(rows_of(session, venues)) == 2, "nothing is changed yet"
    assert plan_list_draft(session, SYSTEM, venues.id) == plan
    apply_list_draft(session, SYSTEM, venues.id, plan.draft_id, plan.version)
    assert rows_of(session, venues) == {
        "市民中心": {"address": "南京路8号", "容纳人数": "300"},
        "新时代文明实践站": {"address": "解放路3号"},
    }
    assert list(rows_of(session, venues, archived=True)) == ["图书馆"]
    replaced(session, venues, "场地,地址\n图书馆,人民路9号\n")
    back = session.get_one(ReferenceRow, old, populate_existing=True)
    assert (back.archived_at, back.values) == (None, {"address": "人民路9号"}), "the same row comes back"
    assert session.scalars(select(ReferenceDraft)).all() == []
    with pytest.raises(NotFound):
        plan_list_draft(session, SYSTEM, venues.id)


def test_the_same_file_again_changes_nothing(session: Session, venues: ReferenceList) -> None:
    for format_ in ("csv", "xlsx"):
        with write_list_file(session, SYSTEM, venues.id, format_).content as file:
            plan = upload_list_file(session, SYSTEM, venues.id, file.read(), "")
        assert plan.is_empty, format_
        assert plan.same == 2


def test_a_formula_in_a_cell_stays_a_text_there_and_back(session: Session, city: Unit) -> None:
    found = filled(session, city, "任务,说明\n甲,=1+1\n")
    with write_list_file(session, SYSTEM, found.id, "csv").content as file:
        data = file.read()
    assert "'=1+1" in data.decode("utf-8-sig")
    assert upload_list_file(session, SYSTEM, found.id, data, "").is_empty


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (",南京路1号", "the row has no name"),
        ("图书馆,南京路1号", "图书馆 is the name of row 2 too"),
        ("甲," + "长" * 501, "地址 has 501 characters; at most 500 are allowed"),
        ("甲,请到{{ 地点 }}", "地址 holds {{, which would be sent as it stands; write what is meant"),
        ("{% if a %},b", "场地 holds {%, which would be sent as it stands; write what is meant"),
        ("甲,南京路,多出的", "多出的 stands in a column without a header"),
    ],
)
def test_a_row_that_cannot_be_used_is_named_and_nothing_is_done(
    session: Session, venues: ReferenceList, row: str, reason: str
) -> None:
    before = rows_of(session, venues)
    plan = upload_list_file(session, SYSTEM, venues.id, f"场地,地址\n图书馆,人民路2号\n{row}\n".encode(), "场地.csv")
    assert [(one.row, one.reason) for one in plan.refused] == [(3, reason)]
    assert (plan.added, plan.gone, plan.changed) == ((), (), {})
    with pytest.raises(Conflict, match="mend them"):
        apply_list_draft(session, SYSTEM, venues.id, plan.draft_id, plan.version)
    assert rows_of(session, venues) == before


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        ("场地,地址\n".encode(), "no rows"),
        ("场地,电话,地址,电话\n甲,乙,丙,丁\n".encode(), "two columns that templates would call 电话"),
        ("场地,名称(name)\n甲,乙\n".encode(), "would call name"),
        ("场地,(name)\n甲,乙\n".encode(), "cannot name a column"),
        ("场地,——\n甲,乙\n".encode(), "cannot name a column"),
        (("场地," + ",".join(f"列{n}" for n in range(20)) + "\n甲,乙\n").encode(), "more than 20 columns"),
        (b"\x00\x01\x02PK", ""),
        (b"PK\x03\x04" + b"\x00" * 50, ""),
    ],
)
def test_a_file_that_cannot_be_a_list_is_refused(
    session: Session, venues: ReferenceList, data: bytes, reason: str
) -> None:
    with pytest.raises(Invalid, match=reason or None) as caught:
        upload_list_file(session, SYSTEM, venues.id, data, "x")
    assert caught.value.field == "file"


def test_a_list_has_a_bound(session: Session, city: Unit, monkeypatch: pytest.MonkeyPatch) -> None:
    found = filled(session, city)
    monkeypatch.setattr("sms_service.content.list_files.MOST_ROWS", 3)
    monkeypatch.setattr(lists, "MOST_ROWS", 2)
    with pytest.raises(Invalid, match="more than 3 rows"):
        upload_list_file(session, SYSTEM, found.id, "场地\na\nb\nc\nd\n".encode(), "")
    with pytest.raises(Conflict, match="2 rows"):
        lists.keep_row(session, SYSTEM, found.id, None, "丙", {})
    monkeypatch.setattr("sms_service.content.list_files.MOST_TEXT", 3)
    with pytest.raises(Invalid, match="3 characters in its cells"):
        upload_list_file(session, SYSTEM, found.id, "场地\nab\ncd\n".encode(), "")
    monkeypatch.setattr(list_drafts, "KEPT_ARCHIVED", 1)
    for content in ("场地\n甲\n", "场地\n乙\n", "场地\n丙\n"):
        replaced(session, found, content)
    assert len(rows_of(session, found, archived=True)) == 1


def test_a_draft_whose_list_changed_is_not_applied(session: Session, venues: ReferenceList) -> None:
    plan = upload_list_file(session, SYSTEM, venues.id, "场地\n甲\n".encode(), "")
    row = session.scalars(lists.find_rows(venues.id)).first()
    lists.keep_row(session, SYSTEM, venues.id, row.id, row.name, {"address": "别处"})
    with pytest.raises(Conflict, match="has changed since"):
        apply_list_draft(session, SYSTEM, venues.id, plan.draft_id, plan.version)
    again = plan_list_draft(session, SYSTEM, venues.id)
    upload_list_file(session, SYSTEM, venues.id, "场地\n乙\n".encode(), "")
    with pytest.raises(Conflict, match="has changed since"):
        apply_list_draft(session, SYSTEM, venues.id, again.draft_id, again.version)
    list_drafts.discard_list_draft(session, SYSTEM, venues.id)
    assert session.scalars(select(ReferenceDraft)).all() == []


def test_rows_are_written_one_by_one(session: Session, venues: ReferenceList) -> None:
    row = lists.keep_row(session, SYSTEM, venues.id, None, " 党群服务中心 ", {"address": "二楼", "电话": " "})
    assert (row.name, row.values, row.place) == ("党群服务中心", {"address": "二楼"}, 3)
    for name, values, wrong in (
        ("", {}, "name"),
        ("x", {"地点": "y"}, "values.地点"),
        ("x", {"address": "{{ a }}"}, "values.address"),
        ("长" * 501, {}, "name"),
    ):
        with pytest.raises(Invalid) as caught:
            lists.keep_row(session, SYSTEM, venues.id, row.id, name, values)
        assert caught.value.field == wrong
    with pytest.raises(Conflict, match="row of this name"):
        lists.keep_row(session, SYSTEM, venues.id, row.id, "图书馆", {})
    lists.archive_row(session, SYSTEM, venues.id, row.id)
    assert "党群服务中心" not in rows_of(session, venues)
    assert lists.keep_row(session, SYSTEM, venues.id, None, "党群服务中心", {}).id == row.id, "it comes back"
    lists.archive_row(session, SYSTEM, venues.id, row.id)
    lists.archive_row(session, SYSTEM, venues.id, row.id, archived=False)
    assert "党群服务中心" in rows_of(session, venues)
    with pytest.raises(NotFound):
        lists.keep_row(session, SYSTEM, filled(session, make_unit(session)).id, row.id, "x", {})


def test_rows_are_found_by_any_cell(session: Session, venues: ReferenceList) -> None:
    def wanted(text: str) -> list[str]:
        return [row.name for row in session.scalars(lists.find_rows(venues.id, text).order_by(ReferenceRow.place))]

    assert wanted("市民") == ["市民中心"]
    assert wanted("人民路") == ["图书馆"]
    assert wanted("%") == []
    assert wanted("路") == ["市民中心", "图书馆"]


@pytest.mark.parametrize("name", ["", "a b", "a.b", "_x", "1a", "row", "name", "loop", "Ａ", "x" * 41, "venue-1"])
def test_names_that_no_template_could_write_are_refused(session: Session, city: Unit, name: str) -> None:
    with pytest.raises(Invalid) as caught:
        lists.add_reference_list(session, SYSTEM, city.id, name, "场地")
    assert caught.value.field == "name"


def test_a_unit_has_one_list_of_a_name_and_the_nearest_counts(session: Session, city: Unit) -> None:
    branch = make_unit(session, parent=city)
    citys, own = filled(session, city), filled(session, branch)
    with pytest.raises(Conflict):
        lists.add_reference_list(session, SYSTEM, city.id, "venue", "又一个")
    assert lists.usable_lists(session, branch.path, {"venue", "teacher"}) == {"venue": own}
    assert lists.usable_lists(session, city.path) == {"venue": citys}
    lists.remove_reference_list(session, SYSTEM, own.id)
    assert lists.usable_lists(session, branch.path) == {"venue": citys}
    assert session.query(ReferenceRow).count() == 2
    acts = session.scalars(select(TrailEntry.act).where(TrailEntry.act.like("reference.%"))).all()
    assert {"reference.add", "reference.replace", "reference.remove"} == set(acts)


def test_templates_that_name_a_list_are_found(session: Session, city: Unit, venues: ReferenceList) -> None:
    named = make_template(session, make_unit(session, parent=city), "{{ venue.address }}", variables=("venue.address",))
    make_template(session, city, "{{ venues.address }}", variables=("name", "venues.address"))
    make_template(session, make_unit(session), "{{ venue.address }}", variables=("venue.address",))
    found = session.execute(lists.find_naming_templates(venues, city.path)).all()
    assert [row.TemplateVersion for row in found] == [named]


def test_scope(session: Session, city: Unit, venues: ReferenceList) -> None:
    """Changed over its unit only, read throughout its subtree and above, by nobody elsewhere."""
    branch, elsewhere = make_unit(session, parent=city), make_unit(session)
    row_id = session.scalars(lists.find_rows(venues.id)).first().id
    acts: list[Callable[[Actor], object]] = [
        lambda actor: lists.add_reference_list(session, actor, city.id, "teacher", "教师"),
        lambda actor: lists.rename_reference_list(session, actor, venues.id, "地点"),
        lambda actor: lists.keep_row(session, actor, venues.id, None, "甲", {}),
        lambda actor: lists.archive_row(session, actor, venues.id, row_id),
        lambda actor: upload_list_file(session, actor, venues.id, VENUES.encode(), ""),
        lambda actor: plan_list_draft(session, actor, venues.id),
        lambda actor: apply_list_draft(session, actor, venues.id, 1, 1),
        lambda actor: list_drafts.discard_list_draft(session, actor, venues.id),
        lambda actor: lists.remove_reference_list(session, actor, venues.id),
    ]
    outside = [make_actor(session, branch), make_actor(session, elsewhere), make_actor(session, city, ("auditor",))]
    for act, actor in product(acts, outside):
        with pytest.raises(Forbidden):
            act(actor)
    for actor in (outside[0], outside[2]):
        assert lists.get_reference_list(session, actor, venues.id)[0] is venues
        write_list_file(session, actor, venues.id, "csv").content.close()
    for act in (lists.get_reference_list, lambda *args: write_list_file(*args, "csv")):
        with pytest.raises(Forbidden):
            act(session, outside[1], venues.id)
