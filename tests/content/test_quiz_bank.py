"""The bank of quiz questions: who may change and use it, what a file makes of it, and what is refused."""

from __future__ import annotations

import io

import openpyxl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select
from sqlalchemy.orm import Session

from sms_service.accounts.actors import SYSTEM
from sms_service.audit.models import TrailEntry
from sms_service.content import quiz_bank, quiz_imports
from sms_service.content.quiz_choices import LETTERS, WrittenQuestion, check_question, find_choices, write_question
from sms_service.content.quiz_models import QuizCategory, QuizDraft, QuizQuestion
from sms_service.directory.models import Unit
from sms_service.errors import Conflict, Forbidden, Invalid, NotFound
from tests.factories import make_actor, make_unit

HEADERS = "类别,题目,A,B,C,D,答案,解析"
BIRTH = WrittenQuestion("党的生日是哪一天？", ("7月1日", "8月1日", "10月1日"), "A", "1921年7月")


@pytest.fixture
def city(session: Session) -> Unit:
    return make_unit(session)


def category_of(session: Session, unit: Unit, name: str = "党的历史") -> QuizCategory:
    return quiz_bank.add_quiz_category(session, SYSTEM, unit.id, name)


def upload(session: Session, unit: Unit, *lines: str, headers: str = HEADERS, **kw: str) -> quiz_imports.QuizPlan:
    data = "\n".join([headers, *lines]).encode()
    return quiz_imports.upload_quiz_file(session, SYSTEM, unit.id, data, "题库.csv", **kw)


def apply(session: Session, plan: quiz_imports.QuizPlan) -> quiz_imports.QuizPlan:
    return quiz_imports.apply_quiz_draft(session, SYSTEM, plan.draft_id, plan.version)


def bank_of(session: Session) -> dict[str, tuple[str, list[str], str, str | None]]:
    session.expire_all()
    statement = (
        select(QuizCategory.name, QuizQuestion)
        .join(QuizQuestion, QuizQuestion.category_id == QuizCategory.id)
        .where(QuizQuestion.ended_at.is_(None))
        .order_by(QuizQuestion.id)
    )
    return {
        one.text: (name, one.options, one.right_choices, one.explanation) for name, one in session.execute(statement)
    }


def reasons(plan: quiz_imports.QuizPlan) -> dict[int, str]:
    return {one.row: str(one.reason) for one in plan.refused}


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        *(
            ("A", "A"),
            ("a", "A"),
            ("Ａ", "A"),
            (" ｂ ", "B"),
            ("A、C", "AC"),
            ("CA", "AC"),
            ("a,c。", "AC"),
            ("AAC", "AC"),
        ),
        *(
            ("选B", "B"),
            ("我选b", "B"),
            ("答案是AC", "AC"),
            ("答案：Ａ，Ｃ", "AC"),
            ("应该是D吧", "D"),
            ("B项", "B"),
            ("（C）", "C"),
        ),
        *(("1", "A"), ("①③", "AC"), ("选2", "B"), ("1、4", "AD"), ("A和B", "AB"), ("A B", "AB"), ("“A”", "A")),
        *(("E", None), ("5", None), ("", None), ("收到", None), ("T", None), ("TD", None), ("R", None), ("N", None)),
        *(("退订", None), ("A是什么", None), ("OK", None), ("AE", None), ("0", None), ("13800000000", None)),
    ],
)
def test_what_somebody_chooses_is_read(said: str, meant: str | None) -> None:
    assert find_choices(said, 4) == meant


def test_an_option_can_be_named_by_its_words() -> None:
    options = ["北京", "延安", "瑞金"]
    assert find_choices("延 安", 3, options) == "B"
    assert find_choices("选瑞金", 3, options) == "C"
    assert find_choices("上海", 3, options) is None
    for said, meant in {"对": "A", "正确": "A", "√": "A", "错": "B", "×": "B", "不对": "B"}.items():
        assert find_choices(said, 2, ["对", "错"]) == meant
        assert find_choices(said, 2, ["北京", "延安"]) is None
    assert find_choices("错误", 2, ["错误", "正确"]) == "A"
    # It may be the option's number or its words.
    assert find_choices("3", 3, ["3", "4", "5"]) is None
    assert find_choices("3", 3, ["1", "2", "3"]) == "C"
    assert find_choices("5", 3, ["3", "4", "5"]) is None


@given(
    st.sets(st.sampled_from(LETTERS[:4]), min_size=1),
    st.randoms(use_true_random=False),
    st.sampled_from(["", "、", ",", "，", " ", "和", "/"]),
    st.sampled_from(["{}", "选{}", "我选{}", "答案是{}", "答案：{}", "（{}）", "{}。", " {} "]),
    st.booleans(),
    st.booleans(),
)
def test_letters_count_in_any_order_width_and_case(letters, random, between, around, wide, low) -> None:  # type: ignore[no-untyped-def]
    written = random.sample(sorted(letters), len(letters))
    said = between.join(chr(ord(one) + 0xFEE0) if wide else one for one in written)
    said = around.format(said.casefold() if low else said)
    assert find_choices(said, 4) == "".join(sorted(letters))


@given(st.text(max_size=60))
def test_no_text_is_read_as_an_option_that_is_not_there(said: str) -> None:
    found = find_choices(said, 3, ["甲", "乙", "丙"])
    assert found is None or (set(found) <= set("ABC") and found == "".join(sorted(set(found))))


@pytest.mark.parametrize(
    ("changes", "field", "reason"),
    [
        ({"text": " "}, "text", "1 to 300 characters"),
        ({"text": "长" * 301}, "text", "1 to 300 characters"),
        ({"text": "{{ name }}"}, "text", "would be sent as it stands"),
        ({"options": ("甲",)}, "options", "a question has 2 to 6"),
        ({"options": tuple("甲乙丙丁戊己庚")}, "options", "a question has 2 to 6"),
        ({"options": ("甲", "", "丙")}, "options.B", "though a later option is there"),
        ({"options": ("甲", "甲 ", "丙")}, "options.B", "is the same as option A"),
        ({"options": ("甲", "长" * 101)}, "options.B", "1 to 100 characters"),
        ({"options": ("甲", "Ｔ D")}, "options.B", "by which people stop texts"),
        ({"options": ("甲", "退订")}, "options.B", "by which people stop texts"),
        ({"right_choices": "D"}, "right_choices", "names option D, which is not there"),
        ({"right_choices": "ABX"}, "right_choices", "must be the letters"),
        ({"right_choices": ""}, "right_choices", "must be the letters"),
        ({"explanation": "长" * 301}, "explanation", "1 to 300 characters"),
    ],
)
def test_what_is_no_question_is_refused(changes: dict[str, object], field: str, reason: str) -> None:
    with pytest.raises(Invalid, match=reason) as caught:
        check_question(BIRTH._replace(**changes))
    assert caught.value.field == field


def test_a_question_is_written_with_its_options() -> None:
    written = check_question(BIRTH._replace(text=" 党的\u200b生日 ", options=("7月1日", "８月1日", "", "")))
    assert written.options == ("7月1日", "８月1日")
    assert write_question(written.text, written.options) == "党的生日\nA. 7月1日\nB. ８月1日"


def test_a_question_is_never_changed_but_replaced(session: Session, city: Unit) -> None:
    category = category_of(session, city)
    first = quiz_bank.keep_quiz_question(session, SYSTEM, category.id, None, BIRTH)
    assert quiz_bank.keep_quiz_question(session, SYSTEM, category.id, first.id, BIRTH) is first
    with pytest.raises(Conflict, match=f"question {first.id}"):
        quiz_bank.keep_quiz_question(session, SYSTEM, category.id, None, BIRTH._replace(right_choices="B"))
    second = quiz_bank.keep_quiz_question(session, SYSTEM, category.id, first.id, BIRTH._replace(right_choices="B"))
    other = BIRTH._replace(text="党的生日是几月几日？")
    third = quiz_bank.keep_quiz_question(session, SYSTEM, category.id, second.id, other)
    session.expire_all()
    assert (first.right_choices, second.right_choices) == ("A", "B")
    assert first.replaced_by == second.replaced_by == third.id
    assert bank_of(session) == {other.text: ("党的历史", ["7月1日", "8月1日", "10月1日"], "A", "1921年7月")}
    with pytest.raises(Conflict, match="replaced or retired"):
        quiz_bank.keep_quiz_question(session, SYSTEM, category.id, first.id, BIRTH)
    with pytest.raises(Conflict, match=f"question {third.id} has replaced it"):
        quiz_bank.retire_quiz_question(session, SYSTEM, first.id, retired=False)


def test_a_question_is_retired_and_brought_back(session: Session, city: Unit) -> None:
    category = category_of(session, city)
    question = quiz_bank.keep_quiz_question(session, SYSTEM, category.id, None, BIRTH)
    quiz_bank.retire_quiz_question(session, SYSTEM, question.id)
    assert bank_of(session) == {}
    quiz_bank.retire_quiz_question(session, SYSTEM, question.id, retired=False)
    assert list(bank_of(session)) == [BIRTH.text]
    quiz_bank.retire_quiz_question(session, SYSTEM, question.id)
    quiz_bank.keep_quiz_question(session, SYSTEM, category.id, None, BIRTH)
    with pytest.raises(Conflict, match="asks this already"):
        quiz_bank.retire_quiz_question(session, SYSTEM, question.id, retired=False)
    acts = session.scalars(select(TrailEntry.act).where(TrailEntry.act.like("quiz.%")).order_by(TrailEntry.id)).all()
    assert acts == ["quiz.category_add", "quiz.add", "quiz.retire", "quiz.restore", "quiz.retire", "quiz.add"]


def test_the_bank_is_used_below_its_unit_and_changed_only_over_it(session: Session, city: Unit) -> None:
    district, elsewhere = make_unit(session, parent=city), make_unit(session, parent=city)
    category = category_of(session, district)
    question = quiz_bank.keep_quiz_question(session, SYSTEM, category.id, None, BIRTH)
    below = make_actor(session, make_unit(session, parent=district))
    assert quiz_bank.get_quiz_question(session, below, question.id)[0] is question
    for actor in (below, make_actor(session, elsewhere)):
        for act in (
            lambda actor=actor: quiz_bank.keep_quiz_question(session, actor, category.id, None, BIRTH),
            lambda actor=actor: quiz_bank.retire_quiz_question(session, actor, question.id),
            lambda actor=actor: quiz_bank.rename_quiz_category(session, actor, category.id, "x"),
            lambda actor=actor: quiz_bank.remove_quiz_category(session, actor, category.id),
            lambda actor=actor: quiz_imports.upload_quiz_text(session, actor, district.id, "题目\t答案"),
        ):
            with pytest.raises(Forbidden):
                act()
    with pytest.raises(Forbidden):
        quiz_bank.get_quiz_category(session, make_actor(session, elsewhere), category.id)
    found = session.execute(quiz_bank.find_quiz_categories((elsewhere.path,))).all()
    assert found == []
    assert session.execute(quiz_bank.find_quiz_categories((district.path,))).one().questions == 1


def test_a_category_with_questions_stays(session: Session, city: Unit) -> None:
    category = category_of(session, city)
    with pytest.raises(Conflict, match="already has a category"):
        category_of(session, city)
    question = quiz_bank.keep_quiz_question(session, SYSTEM, category.id, None, BIRTH)
    quiz_bank.retire_quiz_question(session, SYSTEM, question.id)
    with pytest.raises(Conflict, match="retire them instead"):
        quiz_bank.remove_quiz_category(session, SYSTEM, category.id)
    quiz_bank.rename_quiz_category(session, SYSTEM, category.id, "党史")
    quiz_bank.remove_quiz_category(session, SYSTEM, category_of(session, city).id)
    assert session.scalars(select(QuizCategory.name)).all() == ["党史"]


def test_questions_are_searched_in_all_their_words(session: Session, city: Unit) -> None:
    category = category_of(session, city)
    quiz_bank.keep_quiz_question(session, SYSTEM, category.id, None, BIRTH)
    for wanted, number in {"生日": 1, "8月1": 1, "1921": 1, "9月": 0, "%": 0}.items():
        assert len(session.scalars(quiz_bank.find_quiz_questions(category.id, wanted)).all()) == number, wanted


def test_a_file_comes_into_the_bank(session: Session, city: Unit) -> None:
    plan = upload(
        session,
        city,
        "党的历史,党的生日？,7月1日,8月1日,,,Ａ,1921年",
        "党的历史,哪些是直辖市？,A. 北京,B、延安,C．重庆,d)瑞金,A、C,",
        "时事,今年是2026年。,,,,,对,",
        "时事,今年是2027年。,,,,,×,",
        "时事,地球是方的。,正确,错误,,,F,",
        "时事,首都是哪里？,北京,上海,,,北京,",
    )
    assert (len(plan.created), plan.unchanged, plan.replaced, plan.refused) == (6, 0, (), ())
    assert plan.new_categories == ("党的历史", "时事")
    assert bank_of(session) == {}
    apply(session, plan)
    assert bank_of(session) == {
        "党的生日？": ("党的历史", ["7月1日", "8月1日"], "A", "1921年"),
        "哪些是直辖市？": ("党的历史", ["北京", "延安", "重庆", "瑞金"], "AC", None),
        "今年是2026年。": ("时事", ["对", "错"], "A", None),
        "今年是2027年。": ("时事", ["对", "错"], "B", None),
        "地球是方的。": ("时事", ["正确", "错误"], "B", None),
        "首都是哪里？": ("时事", ["北京", "上海"], "A", None),
    }


def test_a_file_that_comes_again_replaces_what_differs(session: Session, city: Unit) -> None:
    lines = ["历史,甲？,子,丑,,,A,", "历史,乙？,子,丑,,,A,", "历史,丙？,子,丑,,,A,"]
    apply(session, upload(session, city, *lines))
    again = upload(session, city, lines[0], "历史,乙 ？,子,丑,,,B,", "历史,丁？,子,丑,,,B,")
    assert (len(again.created), again.unchanged, len(again.replaced), again.new_categories) == (1, 1, 1, ())
    assert again.replaced[0].standing.right_choices == "A"
    apply(session, again)
    assert set(bank_of(session)) == {"甲？", "乙 ？", "丙？", "丁？"}  # what the file lacks stays
    old = session.scalars(select(QuizQuestion).where(QuizQuestion.text == "乙？")).one()
    new = session.scalars(select(QuizQuestion).where(QuizQuestion.text == "乙 ？")).one()
    assert old.replaced_by == new.id
    assert old.ended_at is not None
    done = quiz_imports.plan_quiz_draft(session, SYSTEM, again.draft_id)
    assert (done.created, done.replaced, done.unchanged) == ((), (), 3)


def test_rows_that_cannot_be_used_are_named_with_what_would_be_right(session: Session, city: Unit) -> None:
    plan = upload(
        session,
        city,
        "历史,甲？,子,丑,,,A,",
        ",乙？,子,丑,,,A,",
        "历史,,子,丑,,,A,",
        "历史,丙？,子,丑,,,,",
        "历史,丁？,子,丑,,,C,",
        "历史,戊？,子,,寅,,A,",
        "历史,己？,,,,,A和,",
        "历史,庚？,,,,,略,",
        "历史,甲？,子,丑,,,A,",
        "历史,甲 ？,子,丑,,,B,",
        "历史,辛？,子,丑,,,A,,多余",
        "历史,壬？,子,子,,,A,",
    )
    assert reasons(plan) == {
        3: "类别 is empty; write the category, or choose one for rows that name none",
        4: "题目 is empty; write what is asked",
        5: "答案 is empty; write the letters of the right options, such as A or AC",
        6: "答案 names option C, which is not there",
        7: "B is missing, though a later option is there",
        8: "the row has no options: write them into the columns A, B and so on",
        9: "the row has no options: write them into the columns A, B and so on",
        10: "repeats row 2",
        11: "asks what row 2 asks, with other options or another answer; keep the right one",
        12: "多余 stands in a column without a header",
        13: "B is the same as option A",
    }
    file = quiz_imports.write_refused_questions(session, SYSTEM, plan.draft_id, "csv")
    content = file.content.read().decode("utf-8-sig")
    assert content.splitlines()[0].startswith(HEADERS)
    mended = content.replace(",乙？", "历史,乙？", 1).encode()
    apply(session, plan)
    again = quiz_imports.upload_quiz_file(session, SYSTEM, city.id, mended, file.name)
    assert [one.written.text for one in again.created] == ["乙？"]
    assert len(again.refused) >= 8


def test_a_file_without_categories_takes_the_chosen_one(session: Session, city: Unit) -> None:
    headers = "序号,题型,题干,选项A,选项B,正确答案,答案解析,难度"
    plan = upload(session, city, "1,单选,甲？,子,丑,B,因为,易", headers=headers, category="时事")
    assert plan.passed_over == ("难度",)
    assert [(one.category, one.written.right_choices, one.written.explanation) for one in plan.created] == [
        ("时事", "B", "因为")
    ]
    with pytest.raises(Invalid, match="lacks the columns 类别"):
        upload(session, city, "1,单选,甲？,子,丑,B,因为,易", headers=headers)


def test_merged_cells_and_a_title_of_a_workbook_are_understood(session: Session, city: Unit) -> None:
    book, data = openpyxl.Workbook(), io.BytesIO()
    for row in (
        ("2026年题库",),
        HEADERS.split(","),
        ("历史", "甲？", 7, 8, None, None, "A"),
        (None, "乙？", 7, 8, None, None, "B"),
    ):
        book.active.append(row)
    book.active.merge_cells("A1:H1")
    book.active.merge_cells("A3:A4")
    book.save(data)
    plan = quiz_imports.upload_quiz_file(session, SYSTEM, city.id, data.getvalue(), "题库.xlsx")
    assert [(one.row, one.category, one.written.options) for one in plan.created] == [
        (3, "历史", ("7", "8")),
        (4, "历史", ("7", "8")),
    ]


def test_pasted_rows_are_read_and_long_ones_named(session: Session, city: Unit) -> None:
    long = "很长的题目" * 45
    pasted = f"题目\tA\tB\t答案\n甲？\t子\t丑\tA\n{long}\t子\t丑\tB\n"
    plan = quiz_imports.upload_quiz_text(session, SYSTEM, city.id, pasted, "时事")
    assert len(plan.created) == 2
    assert [(one.row.row, one.parts) for one in plan.long] == [(3, 4)]
    for wrong in (" ", "题目\tA", "题目\tA\tB\t答案\n"):
        with pytest.raises(Invalid) as caught:
            quiz_imports.upload_quiz_text(session, SYSTEM, city.id, wrong, "时事")
        assert caught.value.field == "text"


def test_what_has_changed_since_it_was_looked_at_is_not_applied(session: Session, city: Unit) -> None:
    plan = upload(session, city, "历史,甲？,子,丑,,,A,")
    category = category_of(session, city, "历史")
    quiz_bank.keep_quiz_question(session, SYSTEM, category.id, None, WrittenQuestion("甲？", ("子", "丑"), "B"))
    with pytest.raises(Conflict, match="has changed since"):
        apply(session, plan)
    other = upload(session, city, "历史,乙？,子,丑,,,A,")
    with pytest.raises(NotFound):
        apply(session, plan)
    quiz_imports.discard_quiz_draft(session, SYSTEM, other.draft_id)
    assert session.scalars(select(QuizDraft)).all() == []


def test_thousands_of_questions_come_at_once(session: Session, city: Unit) -> None:
    lines = [
        f"第{place % 17}类,题目{place}？,甲{place},乙{place},丙{place},丁{place},{'ABCD'[place % 4]},解析{place}"
        for place in range(3_800)
    ]
    plan = apply(session, upload(session, city, *lines))
    assert (len(plan.created), len(plan.new_categories)) == (3_800, 17)
    changed = [line.replace("解析", "新解析") if place < 3_000 else line for place, line in enumerate(lines)]
    again = apply(session, upload(session, city, *changed))
    assert (len(again.replaced), again.unchanged) == (3_000, 800)
    assert len(bank_of(session)) == 3_800
    led = session.execute(select(QuizQuestion.text).where(QuizQuestion.replaced_by.is_not(None))).all()
    assert len(led) == 3_000
