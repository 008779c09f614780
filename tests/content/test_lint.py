"""What lint finds in a text as it is written and in texts as people would read them, and the lists that it asks."""

from __future__ import annotations

import pytest
from factories import make_actor, make_template, make_unit
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from sms_service.accounts.actors import SYSTEM
from sms_service.audit.models import TrailEntry
from sms_service.content.compose import Composed, compose_text
from sms_service.content.fields import FieldKind, TemplateField
from sms_service.content.findings import FindingKind, Severity
from sms_service.content.language import compile_template
from sms_service.content.lint import find_costly, find_links, host_of, lint_body, lint_template, lint_texts
from sms_service.content.models import ListKind
from sms_service.content.wordlists import (
    WordLists,
    add_words,
    find_listed,
    find_words,
    load_lists,
    remove_word,
    write_comparable,
)
from sms_service.errors import Forbidden, Invalid, NotFound

NONE = WordLists()


def text_of(body: str, class_: str = "notice") -> Composed:
    return compose_text(compile_template(body), {}, "云州先锋", class_)


def found(body: str, class_: str = "notice", lists: WordLists = NONE, **values: object) -> list[tuple[str, str]]:
    fields = [TemplateField("网址", "网址", kind=FieldKind.link), TemplateField("电话", "电话", kind=FieldKind.phone)]
    findings = lint_body(body, class_, fields, values)
    if "{{" not in body:
        findings += lint_texts([("", text_of(body, class_))], class_, lists)
    return [(str(one.severity), one.key) for one in findings]


@pytest.mark.parametrize(
    ("body", "keys"),
    [
        ("请九点到。", []),
        ("{{ name }}{{ 时间 }}到。", [("note", "adjacent:name,时间")]),
        ("{{ name }}，{{ 时间 }}到。", []),
        ("{{ name }} {{ 时间 }}", [("note", "adjacent:name,时间"), ("note", "only_variables")]),
        ("{% if a %}{{ a }}{% endif %}。", [("note", "only_variables")]),
        ("【云州先锋】请到。", []),
        ("请到【礼堂】。", [("tick", "brackets")]),
        ("【云州先锋】请到【礼堂】。", [("tick", "brackets")]),
    ],
)
def test_a_text_as_it_is_written(body: str, keys: list[tuple[str, str]]) -> None:
    assert found(body) == keys


@pytest.mark.parametrize("body", ["学习。退订回复T", "学习。拒收请回R", "学习，回TD退订。"])
def test_a_text_that_says_itself_how_to_opt_out(body: str) -> None:
    assert found(body, "study") == [("note", "unsubscribe")]
    assert found(body, "notice") == []
    assert found("学习。拒收请回复R", "study") == []


def test_a_word_is_found_in_one_text_and_not_across_two() -> None:
    lists = WordLists(blocked={write_comparable("晚到"): "晚到", write_comparable("明早"): "明早"})
    texts = [(name, Composed(text, "UCS-2", len(text), 1)) for name, text in (("甲", "请别太晚"), ("乙", "到明早"))]
    assert [one.key for one in lint_texts(texts, "notice", lists)] == ["blocked_word:明早"]


@given(
    st.lists(st.text("一二三aA１ ", min_size=1, max_size=4).filter(write_comparable), max_size=8),
    st.text("一二三aA１ ", max_size=20),
)
def test_all_words_of_a_list_that_stand_in_a_text_are_found(listed: list[str], text: str) -> None:
    words = {write_comparable(word): word for word in listed}
    assert find_listed(words, text) == [word for form, word in words.items() if form in write_comparable(text)]


def test_links_and_phones_in_values_are_named_unless_the_field_asks_for_them() -> None:
    values = {
        "内容": "看 www.12371.cn/a",
        "网址": "https://www.12371.cn/",
        "人": "书记13800138000",
        "电话": "13800138000",
    }
    assert found("{{ 内容 }}", **values)[1:] == [("note", "link_in_value:内容"), ("note", "phone_in_value:人")]


def test_words_are_found_however_they_are_written() -> None:
    lists = WordLists(blocked={write_comparable("免费"): "免费"}, reviewed={write_comparable("VIP"): "VIP"})
    for body in ("免费领取。", "免 费领取。", "免\u200b费领取。"):
        assert found(body, lists=lists) == [("refused", "blocked_word:免费")]
    assert found("ｖｉｐ领取。", lists=lists) == [("tick", "review_word:VIP")]
    assert found("免交费用。", lists=lists) == []
    one, other = text_of("甲：免费。"), text_of("乙：好。")
    (finding,) = lint_texts([("乙", other), ("甲", one)], "notice", lists)
    assert finding.place == "the text of 甲"
    assert "免费" in finding.text


@pytest.mark.parametrize(
    ("text", "links", "hosts"),
    [
        ("请看https://www.12371.cn/a?b=1，谢谢", ["https://www.12371.cn/a?b=1"], ["www.12371.cn"]),
        ("请看www.12371.cn。", ["www.12371.cn"], ["www.12371.cn"]),
        ("t.cn/Abc和HTTP://A.CN.", ["t.cn/Abc", "HTTP://A.CN"], ["t.cn", "a.cn"]),
        ("https://12371.cn@evil.cn/x", ["https://12371.cn@evil.cn/x"], ["evil.cn"]),
        ("3.5元，第1.2节，a@b.cn，2026.12.1", [], []),
    ],
)
def test_links_are_found_with_their_hosts(text: str, links: list[str], hosts: list[str]) -> None:
    assert find_links(text) == links
    assert [host_of(link) for link in links] == hosts


def test_a_link_shows_its_price_and_may_be_refused() -> None:
    lists = WordLists(hosts=frozenset({"12371.cn"}))
    body = "请看https://www.12371.cn/" + "a" * 60 + " 。"
    (link, parts) = lint_texts([("", text_of(body))], "notice", lists, 4.5)
    assert (link.key, link.severity) == ("link:www.12371.cn", "note")
    assert "costs 1 parts of each text, 0.04 yuan" in link.text or "0.05 yuan" in link.text
    assert parts.key == "parts"
    for bad in ("请看 evil12371.cn/a", "请看 https://12371.cn.evil.cn/", "请看 https://12371.cn@evil.cn"):
        assert [severity for severity, _ in found(bad, lists=lists)] == ["refused"]
        assert [severity for severity, _ in found(bad)] == ["note"], "without a list links may lead anywhere"


def test_parts_length_and_the_character_that_costs_one() -> None:
    assert found("长" * 65) == [("note", "parts")]
    assert found("长" * 500) == [("tick", "long"), ("note", "parts")]
    assert find_costly(Composed("a" * 100 + "’", "UCS-2", 101, 2)) == "’"
    assert find_costly(Composed("学" * 69 + "😀", "UCS-2", 71, 2)) == "😀"
    assert find_costly(Composed("学" * 71, "UCS-2", 71, 2)) is None
    assert find_costly(Composed("a" * 100, "GSM-7", 100, 1)) is None
    short, long = text_of("短"), text_of("长" * 150)
    parts = lint_texts([("甲", short), ("乙", short), ("丙", long)], "notice", NONE)[-1]
    assert (parts.place, "1 to 3 parts, in the middle 1" in parts.text) == ("the text of 丙", True)
    (alike,) = lint_texts([("甲", text_of("长" * 75)), ("乙", text_of("长" * 80))], "notice", NONE)
    assert alike.text == "each text takes 2 parts; the longest has 86 characters"


def test_a_template_is_looked_through_with_its_examples(session: Session) -> None:
    city = make_unit(session)
    add_words(session, SYSTEM, city.id, ListKind.block, ["免费"])
    fields = [{"name": "内容", "label": "内容", "hint": "", "example": "免费", "kind": "text"}]
    version = make_template(session, city, "{{ name }}：{{ 内容 }}", variables=("name", "内容"), fields=fields)
    assert [one.key for one in lint_template(session, "notice", version, city.path, "云州")] == [
        "blocked_word:免费",
        "only_variables",
    ]
    broken = make_template(session, city, "{{ 内容 | 日期 }}", variables=("内容",), fields=fields)
    assert [one.key for one in lint_template(session, "notice", broken, city.path, "云州")] == ["unrendered"]


def test_a_list_holds_for_the_unit_and_below_and_is_changed_by_its_administrator(session: Session) -> None:
    city = make_unit(session)
    district, other = make_unit(session, parent=city), make_unit(session, parent=city)
    branch = make_unit(session, parent=district)
    administrator, officer = make_actor(session, district, ("administrator",)), make_actor(session, district)
    assert add_words(session, SYSTEM, city.id, ListKind.block, [" 免费 ", "", "免费", "贷款"]) == 2
    assert add_words(session, administrator, district.id, ListKind.block, ["中奖"]) == 1
    assert add_words(session, administrator, district.id, ListKind.block, ["中奖"]) == 0
    add_words(session, administrator, district.id, ListKind.host, ["https://WWW.12371.cn/"])
    lists = load_lists(session, branch.path)
    assert (set(lists.blocked.values()), lists.hosts) == ({"免费", "贷款", "中奖"}, {"www.12371.cn"})
    assert set(load_lists(session, other.path).blocked.values()) == {"免费", "贷款"}
    assert {row.ListedWord.word for row in session.execute(find_words((branch.path,), ListKind.block))} == {
        "免费",
        "贷款",
        "中奖",
    }
    for actor, unit in ((officer, district), (administrator, city), (administrator, other)):
        with pytest.raises(Forbidden):
            add_words(session, actor, unit.id, ListKind.block, ["x"])
    rows = session.execute(find_words((city.path,))).all()
    citys = next(row.ListedWord.id for row in rows if row.Unit.id == city.id)
    with pytest.raises(Forbidden):
        remove_word(session, administrator, citys)
    remove_word(session, SYSTEM, citys)
    with pytest.raises(NotFound):
        remove_word(session, SYSTEM, citys)
    assert session.query(TrailEntry).filter(TrailEntry.act.like("word_list.%")).count() == 4


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("block", []),
        ("block", ["  "]),
        ("block", ["字" * 101]),
        ("host", ["12371"]),
        ("host", ["a b.cn"]),
        ("host", ["党.cn"]),
    ],
)
def test_what_cannot_be_listed_is_refused(session: Session, kind: str, words: list[str]) -> None:
    with pytest.raises(Invalid, match="words"):
        add_words(session, SYSTEM, make_unit(session).id, ListKind(kind), words)


@pytest.mark.parametrize(
    ("class_", "sent", "words"),
    [
        ("invitation", "参加请回复R。", ["r"]),
        ("study", "领取资料请回复Ｔ。", ["t"]),
        ("survey", "满意回复0000，不满意回复1。", ["0000"]),
        ("study", "回复“订阅”参加培训。", ["订阅"]),
        ("invitation", "参加回Y，不参加回N。", ["n"]),
        ("invitation", "参加回复1，请假回复0。", []),
        ("survey", "同意回Y，不同意回N。", []),
        ("survey", "同意回Y，不同意回N。退订回N。", ["n"]),
        ("study", "如不愿接收，请回复TD。", []),
        ("study", "收到请回复。", []),
    ],
)
def test_no_text_asks_for_a_stop_word_as_an_answer(class_: str, sent: str, words: list[str]) -> None:
    made = [("", text_of(f"请参加学习。{sent}", class_))]
    findings = [one for one in lint_texts(made, class_, NONE) if one.kind == FindingKind.stop_word]
    assert [one.key.rpartition(":")[2] for one in findings] == words
    assert {one.severity for one in findings} <= {Severity.refused}
