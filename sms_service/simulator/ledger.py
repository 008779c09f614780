"""The simulator's own ledger: everything it was handed, one JSON line per event, on disk before the caller is answered.

A `message` line is a whole text: time (seconds since 1970, UTC), id (null if not taken), reference, to, text, outcome
(accepted, partial, refused, throttled, lost), code, answer (see behaviour.ANSWERS), callback_url, via (http, smpp) and
receipts ([due time, code], or [due time, code, part], to be sent); kept_back are receipts that only a look-up shows.
Over SMPP it also has `from` and part_ids, in order, and it is written when the last of its parts has arrived.
A `part` line is one submit_sm: time, id, wire_id and receipt_id (the id in the answer and in receipts), from, to, text,
ref, total, seq, outcome, code, status (the command_status), reason (what is against the protocol), answer, receipts.
A `receipt` line says that a receipt needs no more tries: time, id, reference, number (its position in `receipts`),
code, status (of the HTTP answer or the deliver_sm_resp; null if there was none), tries, acknowledged. A `reply` line is
an inbound text: time, id, from, recipient, text, via, callback_url, parts, series, times (how often it is sent), named
(whether the receiver gets its id), stop. A `replied` line says that a part of a reply needs no more tries: time, id,
repetition, part, status, tries, acknowledged.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any


class LedgerInUse(Exception):
    """Another simulator writes this ledger."""


class Ledger:
    """The ledger in the file at `path`, which is created or continued. Raises LedgerInUse or OSError.

    Every line is written by one system call, and then the operating system has it: killing the process loses nothing.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._file)
            raise LedgerInUse(f"{path} is written by another simulator") from None
        self._by_reference: dict[str, list[int]] = {}
        self._by_phone: dict[str, list[int]] = {}
        self._last_id = 0
        # Receipts that were due to be sent when the last simulator stopped: (message line, number).
        self.unsettled: list[tuple[dict[str, Any], int]] = []
        # The same for replies: (reply line, repetition, part).
        self.unsettled_replies: list[tuple[dict[str, Any], int, int]] = []
        # Parts that were taken and whose text is not complete yet, oldest first.
        self.loose_parts: list[dict[str, Any]] = []
        self._size = self._recover()

    def next_id(self) -> str:
        """A new id of a text, one higher than the last."""
        self._last_id += 1
        return f"SIM{self._last_id:012d}"

    def append(self, event: dict[str, Any]) -> None:
        """Write one event. Raises OSError if it cannot be written whole; then the ledger does not have it."""
        line = json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
        written = os.write(self._file, line)
        if written != len(line):
            os.ftruncate(self._file, self._size)
            raise OSError("no space left for the ledger")
        self._index(event, self._size)
        self._size += written

    def find(self, *, reference: str | None = None, phone: str | None = None) -> list[dict[str, Any]]:
        """The message lines of this reference, or of this phone, oldest first."""
        places = self._by_reference.get(reference, []) if reference else self._by_phone.get(phone or "", [])
        return [self._read(place) for place in places]

    def close(self) -> None:
        """Close the file, which also releases its lock."""
        os.close(self._file)

    def _recover(self) -> int:
        """Read the file, cut off a last line without its end (that text was never answered), return the size in
        bytes.
        """
        size = 0
        settled: set[tuple[str | int, ...]] = set()
        texts: list[dict[str, Any]] = []
        replies: list[dict[str, Any]] = []
        loose: dict[str, dict[str, Any]] = {}
        for line in self._lines():
            event = json.loads(line)
            self._index(event, size)
            size += len(line)
            if event["event"] == "receipt":
                settled.add((event["id"], event["number"]))
            elif event["event"] == "replied":
                settled.add((event["id"], event["repetition"], event["part"]))
            elif event["id"] is not None:
                self._last_id = max(self._last_id, int(event["id"].removeprefix("SIM")))
                (replies if event["event"] == "reply" else texts).append(event)
                if event["event"] == "part":
                    loose[event["id"]] = event
                for part_id in event.get("part_ids", ()):
                    loose.pop(part_id, None)
        os.ftruncate(self._file, size)
        self.unsettled = [
            (event, number)
            for event in texts
            for number in range(len(event["receipts"]))
            if (event["id"], number) not in settled
        ]
        self.unsettled_replies = [
            (event, repetition, part)
            for event in replies
            for repetition in range(event["times"])
            for part in range(1, event["parts"] + 1)
            if (event["id"], repetition, part) not in settled
        ]
        self.loose_parts = list(loose.values())
        return size

    def _lines(self) -> Iterator[bytes]:
        with self.path.open("rb") as file:
            for line in file:
                if line.endswith(b"\n"):
                    yield line

    def _index(self, event: dict[str, Any], place: int) -> None:
        if event["event"] == "message":
            self._by_reference.setdefault(event["reference"], []).append(place)
            self._by_phone.setdefault(event["to"], []).append(place)

    def _read(self, place: int) -> dict[str, Any]:
        with self.path.open("rb") as file:
            file.seek(place)
            event: dict[str, Any] = json.loads(file.readline())
        return event
