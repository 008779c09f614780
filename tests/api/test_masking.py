"""No phone number leaves a door whole unless it was asked for, however it is written and wherever it stands."""

from __future__ import annotations

import io
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import update
from sqlalchemy.orm import Session

from sms_service.audience.import_work import work_on_import
from sms_service.audit import trail
from sms_service.campaigns.models import Decision
from sms_service.controls.models import Stop
from sms_service.db.engine import Database
from sms_service.directory.import_models import Import, ImportProblem
from sms_service.directory.models import Person
from sms_service.ledger.models import Attempt, Message, Run
from sms_service.masking import mask_quoted, mask_text
from sms_service.replies.models import ReplyRow
from sms_service.said import as_said, from_json, say
from sms_service.web.schemas import MaskedText, Out, SaidMessage
from tests.api.campaign_client import SIGNATURE, Place, make_place
from tests.api.directory_client import Caller
from tests.examples import count_examples

MOBILE, FIXED = "13912345678", "057187654321"
SEPARATORS = ["", "", "", " ", "\u00a0", "\u3000", ".", "-", "–", ",", "，", "、", "/", "\u200b", "\ufeff", " - ", ") "]
DIGITS = {
    "ascii": "0123456789",
    "full width": "".join(chr(0xFF10 + n) for n in range(10)),
    "arabic": "٠١٢٣٤٥٦٧٨٩",
    "bold": "".join(chr(0x1D7CE + n) for n in range(10)),
}


@st.composite
def spellings(draw: st.DrawFn, numbers: tuple[str, ...] = (MOBILE, FIXED)) -> str:
    """One or two numbers as somebody might write them, with something before and after."""
    written = ""
    for number in draw(st.lists(st.sampled_from(numbers), min_size=1, max_size=2)):
        digits = DIGITS[draw(st.sampled_from([*DIGITS]))]
        prefix = draw(st.sampled_from(["", "+86", "86", "0086", "(+86) ", "＋86-"])) if number == MOBILE else ""
        written += draw(st.sampled_from(["", " ", "/", "；", "或"])) + prefix
        written += "".join(digits[int(digit)] + draw(st.sampled_from(SEPARATORS)) for digit in number)
    around = st.sampled_from(["", "电话", "王伟", "1985-03-01 ", "Tel: ", "(", "第3组 ", "2026年12月"])
    return draw(around) + written + draw(around)


def leaks(value: Any) -> Iterator[str]:
    """The texts of a JSON value that hold one of the numbers, whatever stands between its digits."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from leaks(name)
            yield from leaks(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from leaks(inner)
    elif isinstance(value, str):
        digits = "".join(str(unicodedata.digit(c)) for c in value if unicodedata.digit(c, None) is not None)
        if MOBILE in digits or FIXED in digits:
            yield value


@given(spellings())
@settings(max_examples=count_examples(100))
def test_however_a_number_is_written_it_is_masked(written: str) -> None:
    assert not list(leaks(mask_text(written)))


@pytest.mark.parametrize(
    "text",
    [
        "1985-03-01",
        "19850301",
        "2026/12/1",
        "2026-12-01 09:00 – 2026-12-01 11:30",
        "2026-12-01T09:00:00.123456+00:00",
        "14:00-16:30",
        "2026年12月1日上午9:00",
        "第1、2、3、4、5、6、7组",
        "12月5日14:00在3楼301室",
        "拒收请回复R",
        "3,800题",
    ],
)
def test_dates_times_and_small_numbers_are_left_alone(text: str) -> None:
    assert mask_text(text) == text


@pytest.mark.parametrize("number", ["M0000001", "01010010001", "P2026-0001", "0101001-0001"])
def test_the_offices_own_numbers_are_left_alone_unless_they_read_like_a_phone(number: str) -> None:
    assert mask_text(number, identifier=True) == number


@given(spellings((MOBILE,)))
def test_a_phone_in_place_of_the_offices_own_number_is_masked(written: str) -> None:
    assert not list(leaks(mask_text(written, identifier=True)))


def test_our_own_words_stay_and_what_they_quote_is_masked() -> None:
    ours = "is not a date like 1985-03-01; right is 13800000000, not {}"
    assert mask_quoted(ours.format(MOBILE), f"王{MOBILE}伟") == ours.format("139****5678")
    assert mask_quoted(ours.format("x"), "x") == ours.format("x")


def test_a_sentence_for_another_language_is_masked_as_it_is_in_english() -> None:
    example = "must be a phone number, such as 13800000000"
    why = say("{texts} of {person}: {fault}", texts=[MOBILE], person=f"王{MOBILE}", fault=say("not {n}", n=FIXED))
    shown = _Shown().dump({"why": why, "own": as_said(example)})
    assert not list(leaks(shown))
    assert (shown["why"], shown["said"]["message"]) == (from_json(**shown["said"]), why.message)
    assert shown["own"] == {"message": example, "values": {}}
    assert _Shown().dump({"why": None, "own": None}) == {"why": None, "said": None, "own": None}


class _Shown(Out):
    why = MaskedText()
    said = SaidMessage(attribute="why")
    own = SaidMessage(masked=False)


def test_what_is_odd_about_a_text_is_said_without_the_numbers_in_it(place: Place, session: Session) -> None:
    session.execute(update(Person).values(name=f"王{MOBILE}"))
    session.commit()
    campaign = place.create(values={"时间": f"https://12371.cn/{MOBILE}"})["id"]
    found = place.auditor.get(f"/campaigns/{campaign}/lint").json["items"]
    (link,) = [one["said"] for one in found if one["kind"] == "link"]
    assert link["values"]["link"] == "https://12371.cn/139****5678"
    rule = {"rule": {"attribute": {"name": "备注", "is": MOBILE}}, "unit_id": place.one.id}
    for answer in (found, place.auditor.get(f"/campaigns/{campaign}/outlook").json):
        assert not list(leaks(answer))
    preview = place.auditor.post("/segments/preview", json=rule).json
    assert not list(leaks([preview["said"], preview["warnings"]]))


@pytest.fixture
def place(database: Database, tmp_path: Path) -> Place:
    place = make_place(database, tmp_path)
    place.launched()
    place.hand_over()
    return place


@pytest.fixture
def administrator(place: Place, session: Session) -> Caller:
    return Caller(place.officer._client, session, place.one, "administrator")


@given(written=spellings())
@example(written=f"电话{MOBILE}")
@settings(max_examples=count_examples(4), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_door_shows_a_number_that_stands_in_free_text(
    place: Place, administrator: Caller, database: Database, written: str
) -> None:
    ids = write_everywhere(database, place, written)
    name, value = written.strip()[:50], written
    rule = {"rule": {"everyone": True}, "unit_id": place.one.id}
    preview = {"class": "study", "body": "您好{{ name }}，{{ 备注 }}", "signature": SIGNATURE}
    answers = [
        *(place.auditor.get(path) for path in ("/people", "/messages", "/runs", "/campaigns", "/trail", "/imports")),
        *(place.auditor.get(path) for path in ("/replies", "/stops", "/gateway-accounts", "/suppressions")),
        place.auditor.get("/stops", released=True),
        place.auditor.get(f"/people/{ids['person']}"),
        place.auditor.get(f"/messages/{ids['message']}"),
        place.auditor.get(f"/runs/{ids['run']}"),
        place.auditor.get(f"/imports/{ids['import']}/problems"),
        place.auditor.post("/segments/preview", json=rule),
        place.auditor.post("/templates/preview", json=preview),
        place.auditor.post("/templates/preview", json={**preview, "recipients": [{"name": "王伟", "备注": value}]}),
        place.auditor.get("/people", kind=value),
        place.auditor.get("/people", **{name: "1"}),
        administrator.post("/people", json={"unit_id": place.one.id, "name": value * 20, "kind": value}),
        administrator.post("/people", json={"unit_id": place.one.id, "name": "王伟", "number": name}),
        administrator.post("/people", json={"unit_id": place.one.id, "name": "王伟", "number": name}),
        administrator.post("/people", json={"unit_id": place.one.id, "name": "王伟", "attributes": {name: 1}}),
        administrator.post(f"/stops/{ids['stop']}/release", json={"why": "x"}),
        place.officer.post("/campaigns", json={name: value}),
        *upload(
            database,
            administrator,
            f"{value}.csv",
            f'编号,姓名,手机号,组织编码\n"{name}","a {value}","{value}","{value}"\n',
        ),
    ]
    for answer in answers:
        assert answer.status_code < 500
        assert not list(leaks(answer.json)), answer.request.path


HEADER = "编号,姓名,手机号,组织编码\n"


def upload(database: Database, caller: Caller, name: str, text: str) -> list[Any]:
    data = {"kind": "people", "file": (io.BytesIO(text.encode()), name)}
    answer = caller.post("/imports", data=data, content_type="multipart/form-data")
    assert answer.status_code == 202, answer.json
    work_on_import(database.session, answer.json["id"])
    return [caller.get(f"/imports/{answer.json['id']}{tail}") for tail in ("", "/problems", "/rows")]


def write_everywhere(database: Database, place: Place, written: str) -> dict[str, int]:
    """Put the text wherever the database keeps one; returns the ids of what holds it."""
    with database.session() as session:
        message = session.query(Message).filter(Message.attempts > 0).order_by(Message.id).first()
        assert message is not None
        person = session.get_one(Person, message.person_id)
        person.name, person.tags = f"王{written}", [written]
        person.attributes = {"备注": written, written: "x"}
        session.execute(update(Message).values(text=written))
        session.execute(update(Attempt).values(detail=written))
        session.execute(update(Run).values(reason=written))
        run = session.get_one(Run, message.run_id)
        said = Decision(campaign_id=run.campaign_id, decided="approved", digest=b"", comment=written)
        said.at = message.changed_at
        trail.record_act(session, None, "x", "x", 1, place.one.path, why=written, more={written: [written]})
        done = Import(unit_id=place.one.id, kind="people", file_name=written, digest=b"", rows=0)
        done.created = done.changed = done.unchanged = done.refused = 0
        stop = Stop(unit_id=place.one.id, why=written, release_why=written)
        stop.stopped_at = stop.released_at = message.changed_at
        reply = ReplyRow(
            gateway_account_id=message.gateway_account_id, received_at=message.changed_at, text=written, part=1, parts=1
        )
        reply.unit_path, reply.person_id = place.one.path, person.id
        session.add_all([said, done, stop, reply])
        session.flush()
        found = {"import_id": done.id, "row": 1, "column": written, "value": written, "refused": True}
        session.add(ImportProblem(**found, reason=f"was read as {written}"))
        return {
            "person": person.id,
            "message": message.id,
            "run": message.run_id,
            "import": done.id,
            "stop": stop.id,
        }
