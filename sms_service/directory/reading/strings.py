"""The shared strings of a workbook: in a file of their own, so that millions of them take little memory."""

from __future__ import annotations

import mmap
import tempfile
from array import array
from collections.abc import Callable
from contextlib import ExitStack

from sms_service.directory.reading.limits import Limits
from sms_service.directory.reading.tables import refuse_file
from sms_service.directory.reading.xml_parts import ESCAPED, Unpacked, clean_string, local_name, new_parser, parse_part
from sms_service.said import say

FindString = Callable[[int], str]


def read_strings(unpacked: Unpacked, name: str | None, limits: Limits, stack: ExitStack) -> FindString:
    """The function that finds a shared string by its number; IndexError for a number that none has."""
    if name is None or not unpacked.holds(name):
        return _find_none
    file = stack.enter_context(tempfile.TemporaryFile())  # noqa: SIM115
    offsets = array("Q", [0])
    pieces: list[str] = []
    state = {"text": False, "phonetic": False, "characters": 0, "end": 0}

    def started(tag: str, _: list[str]) -> None:
        match local_name(tag):
            case "t":
                state["text"] = not state["phonetic"]
            case "rPh":
                state["phonetic"] = True
            case "si":
                pieces.clear()
                state["characters"] = 0

    def ended(tag: str) -> None:
        match local_name(tag):
            case "t":
                state["text"] = False
            case "rPh":
                state["phonetic"] = False
            case "si":
                written = clean_string("".join(pieces)).encode()
                file.write(written)
                state["end"] += len(written)
                offsets.append(state["end"])
                if len(offsets) > limits.strings:
                    raise refuse_file(say("has more than {most:,} texts; split it", most=limits.strings))

    def characters(text: str) -> None:
        if state["text"]:
            state["characters"] += len(text)
            if state["characters"] > limits.characters * ESCAPED:
                raise refuse_file(say("has a text with more than {most} characters", most=limits.characters))
            pieces.append(text)

    for _ in parse_part(unpacked, name, new_parser(started, ended, characters)):
        pass
    if not state["end"]:
        return lambda number: "" if 0 <= number < len(offsets) - 1 else _find_none(number)
    file.flush()
    content = stack.enter_context(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))

    def find_string(number: int) -> str:
        if number < 0:
            raise IndexError(number)
        return content[offsets[number] : offsets[number + 1]].decode()

    return find_string


def _find_none(number: int) -> str:
    raise IndexError(number)
