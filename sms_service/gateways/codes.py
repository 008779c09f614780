"""Code tables: what a provider's own codes mean, kept in a CSV file beside its adapter.

Columns: `use` (answer: in the answer to a hand-over; receipt: in a delivery report), `code`, `result` (how the
hand-over ended, or what the receipt says), `error` (our class; empty if nothing failed), `meaning` in English,
`meaning_zh` in Chinese (may be missing) and `source`.
The meaning of an unknown code is never guessed: the caller keeps the code as it came.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Generic, TypeVar

from sms_service.gateways.base import CodeMeaning, ErrorClass, OutcomeKind, ReceiptStatus

R = TypeVar("R", bound=StrEnum)

_FAILED = {OutcomeKind.refused, OutcomeKind.throttled, ReceiptStatus.undelivered}


@dataclass(frozen=True, slots=True)
class Code(Generic[R]):
    """What one code means. `error` is None if, and only if, nothing failed for good."""

    result: R
    error: ErrorClass | None
    meaning: str
    source: str
    meaning_zh: str = ""


@dataclass(frozen=True, slots=True)
class CodeTable:
    """One provider's codes, by code."""

    answers: Mapping[str, Code[OutcomeKind]]
    receipts: Mapping[str, Code[ReceiptStatus]]


def load_code_table(path: Path) -> CodeTable:
    """The table in `path`. Raises ValueError with file and line if a row cannot be used."""
    answers: dict[str, Code[OutcomeKind]] = {}
    receipts: dict[str, Code[ReceiptStatus]] = {}
    with path.open(encoding="utf-8", newline="") as file:
        rows = csv.DictReader(file)
        for row in rows:
            try:
                if row["use"] == "answer":
                    _add(answers, row, OutcomeKind(row["result"]))
                elif row["use"] == "receipt":
                    _add(receipts, row, ReceiptStatus(row["result"]))
                else:
                    raise ValueError(f"use is {row['use']!r}; it must be answer or receipt")
            except ValueError as error:
                raise ValueError(f"{path.name}, line {rows.line_num}: {error}") from None
    return CodeTable(answers, receipts)


def list_meanings(table: CodeTable) -> dict[tuple[str, str], CodeMeaning]:
    """What the table's codes mean, for `Capabilities.meanings`."""
    uses: tuple[tuple[str, Mapping[str, Code[Any]]], ...] = (("answer", table.answers), ("receipt", table.receipts))
    return {
        (use, name): CodeMeaning(code.meaning, code.meaning_zh)
        for use, codes in uses
        for name, code in codes.items()
        if code.meaning
    }


def answer_code(code: str, written: str) -> Code[OutcomeKind]:
    """What a code in an answer means, written as result and class: "accepted", "refused bad_number".

    Raises ValueError.
    """
    return _written(code, written, OutcomeKind)


def receipt_code(code: str, written: str) -> Code[ReceiptStatus]:
    """What a code in a delivery report means, written as "delivered" or "undelivered unreachable". Raises
    ValueError.
    """
    return _written(code, written, ReceiptStatus)


def _written(code: str, written: str, kind: type[R]) -> Code[R]:
    result, _, error = written.partition(" ")
    found: dict[str, Code[R]] = {}
    row = {"code": code, "error": error, "meaning": "", "source": "gateways.toml"}
    _add(found, row, kind(result))
    return found[code]


def _add(codes: dict[str, Code[R]], row: Mapping[str, str], result: R) -> None:
    error = ErrorClass(row["error"]) if row["error"] else None
    if (error is not None) != (result in _FAILED):
        wanted = "be named" if error is None else "be empty"
        raise ValueError(f"code {row['code']} is {result}, so its error must {wanted}")
    if row["code"] in codes:
        raise ValueError(f"code {row['code']} is there twice")
    codes[row["code"]] = Code(result, error, row["meaning"], row["source"], row.get("meaning_zh") or "")
