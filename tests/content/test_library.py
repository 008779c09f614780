"""Who may keep, use and change templates, and how versions come about."""

from __future__ import annotations

from pathlib import Path
from threading import Barrier, Thread

import pytest
from factories import make_actor, make_unit
from sqlalchemy import select
from sqlalchemy.orm import Session

from sms_service.accounts.actors import SYSTEM, Actor
from sms_service.audit.models import TrailEntry
from sms_service.content import categories, library, shipped
from sms_service.content.fields import TemplateField, fields_of
from sms_service.content.models import Template, TemplateVersion
from sms_service.db.engine import Database
from sms_service.directory.models import Unit
from sms_service.errors import Conflict, Forbidden, Invalid, NotFound


@pytest.fixture
def city(session: Session) -> Unit:
    return make_unit(session)


@pytest.fixture
def district(session: Session, city: Unit) -> Unit:
    return make_unit(session, parent=city)


@pytest.fixture
def other_district(session: Session, city: Unit) -> Unit:
    return make_unit(session, parent=city)


@pytest.fixture
def officer(session: Session, district: Unit) -> Actor:
    return make_actor(session, district)


def test_a_template_is_made_with_its_first_version(session: Session, district: Unit, officer: Actor) -> None:
    body = "{{ name }}您好，{{ 时间 }}学习。"
    template, version = library.create_template(session, officer, district.id, " 学习 ", "study", body)
    assert (template.name, template.class_, template.unit_id) == ("学习", "study", district.id)
    assert (version.number, version.body, version.variables) == (1, body, ["name", "时间"])
    assert template.created_by == version.created_by == officer.account_id
    assert library.get_version(session, officer, version.id) == (template, version)
    entry = session.scalars(select(TrailEntry)).one()
    assert (entry.act, entry.target_id, entry.unit_path) == ("template.create", str(template.id), district.path)
    assert entry.details == {"version": 1, "class": "study"}


@pytest.mark.parametrize(
    ("field", "name", "class_", "body"),
    [
        ("name", " ", "study", "学习"),
        ("name", "学\n习", "study", "学习"),
        ("name", "学" * 101, "study", "学习"),
        ("class", "学习", "advert", "学习"),
        ("body", "学习", "study", "{{ name"),
    ],
)
def test_what_is_wrong_with_a_template_is_named(
    session: Session, district: Unit, officer: Actor, field: str, name: str, class_: str, body: str
) -> None:
    with pytest.raises(Invalid) as caught:
        library.create_template(session, officer, district.id, name, class_, body)
    assert caught.value.field == field
    assert session.scalars(select(Template)).all() == []


def test_a_name_is_taken_once_per_unit(
    session: Session, city: Unit, district: Unit, other_district: Unit, officer: Actor
) -> None:
    library.create_template(session, officer, district.id, "学习", "study", "甲")
    with pytest.raises(Conflict, match="of this name"):
        library.create_template(session, officer, district.id, "学习", "study", "乙")
    other, _ = library.create_template(session, SYSTEM, other_district.id, "学习", "study", "乙")  # still usable
    assert other.unit_id == other_district.id


def test_a_version_never_changes_and_the_next_one_is_numbered(session: Session, district: Unit, officer: Actor) -> None:
    template, first = library.create_template(session, officer, district.id, "学习", "study", "甲")
    second = library.add_version(session, officer, template.id, "乙")
    assert library.add_version(session, officer, template.id, "乙") is second
    third = library.add_version(session, officer, template.id, "甲")
    assert [(v.number, v.body) for v in (first, second, third)] == [(1, "甲"), (2, "乙"), (3, "甲")]
    assert library.get_numbered_version(session, officer, template.id, None)[1] is third
    assert library.get_numbered_version(session, officer, template.id, 2)[1] is second
    assert set(session.scalars(library.find_versions(template.id))) == {first, second, third}
    assert [e.act for e in session.scalars(select(TrailEntry).order_by(TrailEntry.id))] == [
        "template.create",
        "template.revise",
        "template.revise",
    ]
    with pytest.raises(NotFound):
        library.get_numbered_version(session, officer, template.id, 4)
    with pytest.raises(Invalid):
        library.add_version(session, officer, template.id, "{% set a = b %}")


def test_two_people_who_save_at_once_get_two_numbers(database: Database) -> None:
    with database.session() as session:
        unit = make_unit(session)
        template, _ = library.create_template(session, SYSTEM, unit.id, "学习", "study", "零")
    barrier = Barrier(4)

    def save(body: str) -> None:
        barrier.wait()
        with database.session() as session:
            library.add_version(session, SYSTEM, template.id, body)

    threads = [Thread(target=save, args=(body,)) for body in "甲乙丙丁"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with database.session() as session:
        found = session.scalars(select(TemplateVersion).order_by(TemplateVersion.number)).all()
    assert [version.number for version in found] == [1, 2, 3, 4, 5]
    assert {version.body for version in found[1:]} == set("甲乙丙丁")


def test_changing_needs_scope_over_the_owner_and_using_reaches_up_and_down(
    session: Session, city: Unit, district: Unit, other_district: Unit, officer: Actor
) -> None:
    branch = make_unit(session, parent=district)
    owned = {
        unit.id: library.create_template(session, SYSTEM, unit.id, "学习", "study", "甲")
        for unit in (city, district, other_district, branch)
    }
    for unit in (city, district, branch):
        template, version = owned[unit.id]
        assert library.get_template(session, officer, template.id) is template
        assert library.get_version(session, officer, version.id) == (template, version)
    for unit in (city, other_district):
        with pytest.raises(Forbidden):
            library.add_version(session, officer, owned[unit.id][0].id, "乙")
        with pytest.raises(Forbidden):
            library.create_template(session, officer, unit.id, "新", "study", "乙")
    with pytest.raises(Forbidden):
        library.get_template(session, officer, owned[other_district.id][0].id)
    with pytest.raises(Forbidden):
        library.get_version(session, officer, owned[other_district.id][1].id)

    def listed(scope: tuple[str, ...]) -> set[int]:
        return {row.Template.unit_id for row in session.execute(library.find_templates(scope))}

    assert listed((district.path,)) == {city.id, district.id, branch.id}
    assert listed((branch.path,)) == {city.id, district.id, branch.id}
    assert listed((other_district.path, branch.path)) == set(owned)
    assert listed(("/",)) == set(owned)
    assert listed(()) == set()


def test_an_auditor_reads_and_changes_nothing(session: Session, district: Unit) -> None:
    template, _ = library.create_template(session, SYSTEM, district.id, "学习", "study", "甲")
    auditor = make_actor(session, district, roles=("auditor",))
    assert library.get_template(session, auditor, template.id) is template
    with pytest.raises(Forbidden):
        library.add_version(session, auditor, template.id, "乙")
    with pytest.raises(Forbidden):
        library.create_template(session, auditor, district.id, "新", "study", "乙")


def test_the_list_shows_the_newest_version_and_filters_by_class(session: Session, city: Unit) -> None:
    template, _ = library.create_template(session, SYSTEM, city.id, "学习", "study", "甲")
    newest = library.add_version(session, SYSTEM, template.id, "乙")
    library.create_template(session, SYSTEM, city.id, "邀请", "invitation", "丙")
    rows = session.execute(library.find_templates((city.path,), class_="study")).all()
    assert [(row.Template, row.TemplateVersion) for row in rows] == [(template, newest)]


def test_what_does_not_exist_is_not_found(session: Session, officer: Actor) -> None:
    for act in (
        lambda: library.create_template(session, officer, 99, "学习", "study", "甲"),
        lambda: library.add_version(session, officer, 99, "甲"),
        lambda: library.get_template(session, officer, 99),
        lambda: library.get_version(session, officer, 99),
    ):
        with pytest.raises(NotFound, match="99"):
            act()


def test_shipped_templates_are_installed_once_and_follow_their_files(
    session: Session, city: Unit, tmp_path: Path
) -> None:
    assert {version.number for version in shipped.install_shipped(session, city)} == {1}
    assert set(session.scalars(select(Template.name))) == {"学习内容", "每日一学", "主题党日邀请", "活动提醒"}
    assert shipped.install_shipped(session, city) == []

    for file in shipped.FOLDER.glob("*.txt.j2"):
        (tmp_path / file.name).write_text(
            file.read_text("utf-8") + ("请回复。\n" if "study" in file.name else ""), "utf-8"
        )
    (added,) = shipped.install_shipped(session, city, tmp_path)
    assert (added.number, added.body.endswith("请回复。")) == (2, True)
    assert shipped.install_shipped(session, city, tmp_path) == []

    library.add_version(session, SYSTEM, added.template_id, "本市自己的写法。")
    assert shipped.install_shipped(session, city, tmp_path) == []  # what people wrote since stays the newest


@pytest.mark.parametrize(
    "text",
    [
        "您好",
        '+++\nname = "甲"\n+++\n您好',
        '+++\nname = "甲"\nclass = "advert"\n+++\n您好',
        '+++\nname = 甲\nclass = "study"\n+++\n您好',
        '+++\nname = "甲"\nclass = "study"\n+++\n{{ a.b.c }}',
        '+++\nname = "甲"\nclass = "study"\n+++\n',
        '+++\nname = "甲"\nclass = "study"\n[[fields]]\nname = "乙"\n+++\n您好',
        '+++\nname = "甲"\nclass = "study"\n[[fields]]\nname = "乙"\nkind = "colour"\n+++\n{{ 乙 }}',
        '+++\nname = "甲"\nclass = "study"\n[[fields]]\nname = "乙"\ncolour = "red"\n+++\n{{ 乙 }}',
    ],
)
def test_a_bad_template_file_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "x.txt.j2").write_text(text, "utf-8")
    with pytest.raises(shipped.BadTemplateFile, match=r"x\.txt\.j2"):
        shipped.read_shipped(tmp_path)


def test_a_copy_has_what_the_newest_version_has_and_goes_its_own_way(
    session: Session, city: Unit, district: Unit, other_district: Unit, officer: Actor
) -> None:
    category = categories.add_category(session, SYSTEM, city.id, "党的历史")
    fields = [TemplateField("时间", "何时")]
    template, _ = library.create_template(
        session, SYSTEM, city.id, "学习", "study", "{{ 时间 }}学习。", fields, category.id
    )
    copy, version = library.clone_template(session, officer, template.id, district.id, "本区学习")
    assert (copy.cloned_from, copy.category_id, copy.class_, copy.unit_id) == (
        template.id,
        category.id,
        "study",
        district.id,
    )
    assert (version.number, version.body, fields_of(version)) == (1, "{{ 时间 }}学习。", fields)
    library.add_version(session, officer, copy.id, "今日学习。")
    assert library.get_numbered_version(session, officer, template.id, None)[1].body == "{{ 时间 }}学习。"
    with pytest.raises(Conflict):
        library.clone_template(session, officer, template.id, district.id, "本区学习")
    with pytest.raises(Forbidden):
        library.clone_template(session, officer, template.id, other_district.id, "学习")


def test_the_braces_of_a_chinese_keyboard_are_those_of_the_language(session: Session, city: Unit) -> None:
    body = "｛% if 地点 %｝在｛｛ 地点 ｝｝，｛% endif %｝｛请｝到。"
    template, version = library.create_template(session, SYSTEM, city.id, "会", "notice", body)
    assert version.body == "{% if 地点 %}在{{ 地点 }}，{% endif %}｛请｝到。"
    assert version.variables == ["地点"]
    assert library.add_version(session, SYSTEM, template.id, body).id == version.id
    assert library.add_version(session, SYSTEM, template.id, "｛｛name｝｝请到。").body == "{{name}}请到。"


def test_an_archived_template_is_in_no_list_and_comes_back(session: Session, city: Unit, officer: Actor) -> None:
    template, _ = library.create_template(session, SYSTEM, city.id, "学习", "study", "学习。")

    def listed(*, archived: bool) -> list[int]:
        return [row.Template.id for row in session.execute(library.find_templates((city.path,), archived=archived))]

    with pytest.raises(Forbidden):
        library.change_template(session, officer, template.id, archived=True)
    for _ in range(2):
        library.change_template(session, SYSTEM, template.id, archived=True)
    assert (listed(archived=False), listed(archived=True)) == ([], [template.id])
    library.change_template(session, SYSTEM, template.id, archived=False)
    assert (listed(archived=False), listed(archived=True)) == ([template.id], [])
    acts = session.scalars(select(TrailEntry.act).order_by(TrailEntry.id)).all()
    assert acts == ["template.create", "template.archive", "template.restore"]


def test_categories_are_data_of_units_and_the_seventeen_come_once(
    session: Session, city: Unit, district: Unit, other_district: Unit, officer: Actor
) -> None:
    assert shipped.install_categories(session, city) == 17
    assert shipped.install_categories(session, city) == 0
    own = categories.add_category(session, officer, district.id, "本区")
    with pytest.raises(Conflict, match="of this name"):
        categories.add_category(session, officer, district.id, "本区")
    with pytest.raises(Forbidden):
        categories.add_category(session, officer, city.id, "全市")
    assert len(session.execute(categories.find_categories((district.path,))).all()) == 18
    assert len(session.execute(categories.find_categories((other_district.path,))).all()) == 17
    elsewhere, _ = library.create_template(session, SYSTEM, other_district.id, "学习", "study", "甲")
    with pytest.raises(Invalid, match="category_id"):
        library.change_template(session, SYSTEM, elsewhere.id, category_id=own.id)
    template, _ = library.create_template(session, officer, district.id, "学习", "study", "甲", category_id=own.id)
    assert session.execute(library.find_templates((district.path,), category_id=own.id)).one().Template is template
    with pytest.raises(Conflict, match="templates belong"):
        categories.remove_category(session, officer, own.id)
    library.change_template(session, officer, template.id, without_category=True)
    categories.remove_category(session, officer, own.id)
    with pytest.raises(NotFound):
        categories.remove_category(session, officer, own.id)
