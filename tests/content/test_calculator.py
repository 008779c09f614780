"""Encoding, units and parts of tricky texts are those of Twilio's published calculator, but for what is argued here and
in docs/templates.md. `tests/peers/tricky_texts.py` says how the results were made.
"""

from __future__ import annotations

import json
import unicodedata
from pathlib import Path
from typing import Any

from sms_service.parts import measure_text, split_text

RESULTS = Path(__file__).resolve().parents[1] / "data" / "segments.jsonl"
BITS = {"GSM-7": 7, "UCS-2": 16}


def results() -> list[dict[str, Any]]:
    return [json.loads(line) for line in RESULTS.read_text(encoding="utf-8").splitlines()]


def lengths(text: str) -> list[int]:
    """UTF-16 code units of each part as we cut it."""
    return [len(part.encode("utf-16-le")) // 2 for part in split_text(text)]


def holds_combined(text: str) -> bool:
    """Whether characters in it join to one sign: a family, a flag, a letter with an accent of its own."""
    return any(one in "\u200d\r" or "\U0001f1e6" <= one <= "\U0001f1ff" or unicodedata.combining(one) for one in text)


def test_encoding_and_units_are_those_of_the_calculator() -> None:
    assert len(results()) >= 500
    for one in results():
        measure = measure_text(one["text"])
        assert (measure.encoding, measure.units * BITS[measure.encoding]) == (one["encoding"], one["bits"]), one


def test_parts_are_cut_alike_but_for_combined_characters_which_the_calculator_keeps_whole() -> None:
    different = [one for one in results() if lengths(one["text"]) != one["lengths"]]
    assert all(holds_combined(one["text"]) and one["encoding"] == "UCS-2" for one in different)
    assert any(measure_text(one["text"]).parts + 1 == len(one["lengths"]) for one in different), "it may need one more"
    assert all(measure_text(one["text"]).parts <= len(one["lengths"]) for one in different), "and never one less"
