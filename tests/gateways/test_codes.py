"""Code tables: the shipped ones can be used, and a row that cannot stops the load and says where."""

from __future__ import annotations

from pathlib import Path

import pytest

from sms_service.gateways import codes
from sms_service.gateways.base import CodeMeaning, ErrorClass, OutcomeKind, ReceiptStatus
from sms_service.gateways.simulator import answers
from sms_service.gateways.twilio import adapter as twilio
from sms_service.simulator import behaviour

HEAD = "use,code,result,error,meaning,source\n"


def test_every_code_of_every_shipped_table_is_explained_in_both_languages() -> None:
    paths = sorted(Path(codes.__file__).parent.glob("*/codes.csv"))
    assert len(paths) == 4
    for path in paths:
        table = codes.load_code_table(path)
        meanings = codes.list_meanings(table)
        assert len(meanings) == len(table.answers) + len(table.receipts)
        for key, meaning in meanings.items():
            assert meaning.en.isascii(), (path, key)
            assert any("\u4e00" <= letter <= "\u9fff" for letter in meaning.zh), (path, key)


def test_a_table_without_chinese_can_be_used(tmp_path: Path) -> None:
    path = tmp_path / "codes.csv"
    path.write_text(f"{HEAD}answer,0,refused,carrier,m,s\n")
    assert codes.list_meanings(codes.load_code_table(path)) == {("answer", "0"): CodeMeaning("m", "")}


@pytest.mark.parametrize("table", [twilio.CODES, answers.CODES], ids=["twilio", "simulator"])
def test_every_code_of_a_shipped_table_says_what_it_means_and_where_from(table: codes.CodeTable) -> None:
    for code in [*table.answers.values(), *table.receipts.values()]:
        assert code.meaning
        assert code.source
    assert {OutcomeKind.refused, OutcomeKind.throttled} == {code.result for code in table.answers.values()}
    assert set(ReceiptStatus) - {ReceiptStatus.unclassified} == {code.result for code in table.receipts.values()}


def test_every_refusal_that_the_simulator_can_make_is_in_its_table() -> None:
    assert answers.CODES.answers.keys() == behaviour.REFUSALS.keys()


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("answer,1,delivered,,m,s", "'delivered' is not a valid OutcomeKind"),
        ("receipt,1,refused,carrier,m,s", "'refused' is not a valid ReceiptStatus"),
        ("answer,1,refused,nonsense,m,s", "'nonsense' is not a valid ErrorClass"),
        ("answer,1,refused,,m,s", "must be named"),
        ("receipt,1,interim,carrier,m,s", "must be empty"),
        ("reply,1,interim,,m,s", "it must be answer or receipt"),
        ("answer,0,refused,carrier,m,s", "is there twice"),
    ],
)
def test_a_row_that_cannot_be_used_is_named_with_its_line(tmp_path: Path, row: str, reason: str) -> None:
    path = tmp_path / "codes.csv"
    path.write_text(f"{HEAD}answer,0,refused,carrier,m,s\n{row}\n")
    with pytest.raises(ValueError, match=f"^codes.csv, line 3: .*{reason}"):
        codes.load_code_table(path)


def test_the_same_code_may_mean_one_thing_in_an_answer_and_another_in_a_receipt(tmp_path: Path) -> None:
    path = tmp_path / "codes.csv"
    path.write_text(f"{HEAD}answer,7,throttled,rate,m,s\nreceipt,7,undelivered,carrier,m,s\n")
    table = codes.load_code_table(path)
    assert (table.answers["7"].error, table.receipts["7"].error) == (ErrorClass.rate, ErrorClass.carrier)
