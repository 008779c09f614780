"""One text on its way over a line: its parts as PDUs, the state of each, and the outcome of the whole text.

A text of which a part was taken is never sent again as a whole: only its missing parts go again, with the same
concatenation reference.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from enum import Enum

from sms_service import parts
from sms_service.gateways.base import ErrorClass, Outcome, OutcomeKind, Text, unwritten
from sms_service.gateways.codes import Code
from sms_service.gateways.smpp import pdus
from sms_service.gateways.smpp.pdus import SubmitForm

UDHI = 0x40  # esm_class: the text begins with a user data header, section 5.2.12
DATA_CODING: Mapping[parts.Encoding, int] = {"GSM-7": 0, "UCS-2": 8}  # section 5.2.19
NAMELESS = "taken, but the SMSC gave it no id"
UNDER_WAY = "the answer did not come"
NOT_WRITTEN = "the link was down or busy"


class PartState(Enum):
    """The state of one part."""

    waiting = "not written yet"
    written = "no answer yet"
    taken = "the SMSC has it"
    refused = "the SMSC surely does not have it"
    throttled = "the SMSC surely does not have it now"
    given_up = "never written"
    unknown = "cannot be told"


@dataclass(slots=True)
class Part:
    """One part of a text: its submit_sm, without the number."""

    text: SendingText = field(repr=False)
    pdu: bytes = field(repr=False)
    state: PartState = PartState.waiting
    provider_id: str = ""
    status: int = pdus.OK


@dataclass(slots=True)
class SendingText:
    """One text of a group. `write_by`: no part of it is written later, in seconds of the boot clock."""

    reference: str
    write_by: float
    parts: list[Part] = field(default_factory=list)
    batch: Batch | None = None
    outcome: Outcome | None = None

    @property
    def is_at_rest(self) -> bool:
        """Whether none of its parts waits to be written or answered."""
        return not any(part.state in (PartState.waiting, PartState.written) for part in self.parts)

    @property
    def is_lost(self) -> bool:
        """Whether a part was refused for good, so that writing the others is useless."""
        return any(part.state is PartState.refused for part in self.parts)

    def missing(self) -> list[Part]:
        """The parts that may still be taken, if the text is at rest and was taken in part."""
        states = {part.state for part in self.parts}
        if PartState.taken not in states or states & {PartState.refused, PartState.unknown}:
            return []
        return [part for part in self.parts if part.state is not PartState.taken]

    def settle(self, codes: Mapping[str, Code[OutcomeKind]]) -> None:
        """Give a text that is at rest its outcome."""
        self.outcome = _outcome(self, codes)
        if self.batch is not None:
            self.batch.settled()


@dataclass(slots=True, eq=False)
class Batch:
    """The texts of one `submit`. `done` has a result when each text has its outcome; `timers` end the waiting."""

    texts: Sequence[SendingText]
    done: Future[None] = field(default_factory=Future)
    timers: Sequence[asyncio.TimerHandle] = ()
    open: int = 0

    def __post_init__(self) -> None:
        self.open = len(self.texts)
        for text in self.texts:
            text.batch = self

    def settled(self) -> None:
        """One more text has its outcome."""
        self.open -= 1
        if not self.open:
            for timer in self.timers:
                timer.cancel()
            self.done.set_result(None)

    def outcomes(self) -> list[Outcome]:
        """The outcomes of a batch that is done, in the order of its texts."""
        return [text.outcome for text in self.texts if text.outcome is not None]


def concatenation_reference(reference: str) -> int:
    """The reference that the parts of a long text share. It is computed from the attempt's name: two texts to one
    handset rarely get the same, and a part that is sent later always gets the same as the others.
    """
    return zlib.crc32(reference.encode()) & 0xFF


def encode_text(
    text: Text, write_by: float, form: SubmitForm, destination: str, validity_period: str = ""
) -> SendingText:
    """`text` as parts in the form of its line; `destination` is the recipient as the line writes it."""
    sending = SendingText(text.reference, write_by)
    encoding, _, number = parts.measure_text(text.body)
    series = concatenation_reference(text.reference)
    for place, piece in enumerate(parts.split_text(text.body), 1):
        # 3GPP TS 23.040, 9.2.3.24.1: five octets follow; element 0 of three octets: reference, number of parts, part.
        header = bytes((5, 0, 3, series, number, place)) if number > 1 else b""
        pdu = form.write(
            destination,
            header + parts.encode_part(piece, encoding),
            esm_class=UDHI if header else 0,
            data_coding=DATA_CODING[encoding],
            validity_period=validity_period,
        )
        sending.parts.append(Part(sending, pdu))
    return sending


def _outcome(text: SendingText, codes: Mapping[str, Code[OutcomeKind]]) -> Outcome:
    states = [part.state for part in text.parts]
    ids = tuple(part.provider_id for part in text.parts)
    named = ids if len(ids) > 1 and any(ids) else ()
    first = next((name for name in ids if name), None)
    if PartState.unknown in states:
        return Outcome(text.reference, OutcomeKind.unknown, part_ids=named, detail=UNDER_WAY)
    if all(state is PartState.taken for state in states):
        if not all(ids):  # without its id, no receipt could be matched to the part
            return Outcome(text.reference, OutcomeKind.unknown, part_ids=named, detail=NAMELESS)
        return Outcome(text.reference, OutcomeKind.accepted, provider_id=ids[0], part_ids=named)
    culprit = min(
        (part for part in text.parts if part.state is not PartState.taken),
        key=lambda part: (PartState.refused, PartState.throttled, PartState.given_up).index(part.state),
    )
    code = None if culprit.state is PartState.given_up else raw_code(culprit.status)
    known = codes.get(code) if code else None
    if PartState.taken in states:
        why = known.meaning if known else NOT_WRITTEN if code is None else "the rest was refused"
        return Outcome(
            text.reference,
            OutcomeKind.partial,
            provider_id=first,
            error=ErrorClass.partial,
            raw_code=code,
            detail=why,
            part_ids=named,
        )
    if code is None:
        return unwritten(text.reference, NOT_WRITTEN)
    if known is None:
        return Outcome(text.reference, OutcomeKind.refused, error=ErrorClass.unclassified, raw_code=code)
    return Outcome(text.reference, known.result, error=known.error, raw_code=code, detail=known.meaning)


def raw_code(status: int) -> str:
    """A command_status in the form that the code tables and the ledger use."""
    return f"0x{status:08X}"
