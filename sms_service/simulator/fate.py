"""Decides what happens to a text: drawn from a seed and the text's reference, so that every run repeats itself."""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

from sms_service.simulator.behaviour import ANSWERS, Behaviour, PhoneRule
from sms_service.simulator.changing import change_behaviour


@dataclass(frozen=True, slots=True)
class Fate:
    """What happens to one text. `receipts` are (seconds after taking it, code), in the order in which they are sent;
    `pushed` is False if only a look-up shows them. `reply`: (seconds after taking it, what the phone answers).
    """

    answer: str
    code: str | None = None
    answer_delay_s: float = 0.0
    receipts: tuple[tuple[float, str], ...] = ()
    pushed: bool = True
    reply: tuple[float, str] | None = None

    @property
    def taken(self) -> bool:
        """Whether the simulator takes the text."""
        return ANSWERS[self.answer]


def decide_fate(behaviour: Behaviour, reference: str, validity_s: float | None, rule: PhoneRule | None) -> Fate:
    """What happens to the text `reference`; `rule` is the rule for its phone, if any. Equal arguments give equal fates.

    A text that would be delivered after its validity, in seconds, expires instead.
    """
    answer_draw, receipt_draw, delay_draw, double_draw, answer_delay_draw = _draws(behaviour.seed, reference)
    answer = rule.answer if rule else _pick(behaviour, answer_draw)
    answer_delay = _between(behaviour.crawl_s if answer == "crawl" else behaviour.answer_delay_s, answer_delay_draw)
    if not ANSWERS[answer]:
        return Fate(answer, _code(behaviour, rule, answer), answer_delay)
    final = rule.receipt if rule else _final(behaviour, receipt_draw)
    delays = (rule.receipt_delay_s if rule else None) or behaviour.receipt_delay_s
    delay = 0.0 if answer == "early" else _between(delays, delay_draw)
    if validity_s is not None and delay > validity_s:
        delay, final = validity_s, final if final == "none" else "EXPIRED"
    receipts = [] if final == "none" else [(delay, final)]
    if receipts and behaviour.interim:
        receipts = (
            [(delay, final), (delay * 1.5, "ENROUTE")] if behaviour.reversed else [(delay / 2, "ENROUTE"), *receipts]
        )
    if double_draw < behaviour.duplicate_share:
        receipts = [receipt for receipt in receipts for _ in range(2)]
    unpushed_draw, reply_draw, reply_delay_draw = _further_draws(behaviour.seed, reference)
    reply_text = rule.reply if rule else behaviour.reply_text if reply_draw < behaviour.reply_share else ""
    reply = (delay + _between(behaviour.reply_delay_s, reply_delay_draw), reply_text)
    return Fate(
        answer,
        None,
        answer_delay,
        tuple(receipts),
        pushed=unpushed_draw >= behaviour.unpushed_share,
        reply=reply if reply_text and final == "DELIVRD" else None,
    )


class Fates:
    """The behaviour of a running simulator, and how often its rules were used."""

    def __init__(self, behaviour: Behaviour) -> None:
        self.behaviour = behaviour
        self._used: Counter[tuple[int, str, int]] = Counter()
        self._parts: Counter[tuple[str, int, str]] = Counter()

    def change(self, values: Mapping[str, Any]) -> None:
        """Change the fields in `values`. Raises BadBehaviour and changes nothing."""
        self.behaviour = change_behaviour(self.behaviour, values)
        if "by_phone" in values:
            self._used.clear()

    def of_text(self, reference: str, phone: str, validity_s: float | None) -> Fate:
        """What happens to a whole text."""
        return self._fate(reference, phone, 0, validity_s)

    def of_part(self, phone: str, part: int, text: str, validity_s: float | None) -> Fate:
        """What happens to a part (from 1) with this text; each further try of the same part is drawn anew."""
        self._parts[phone, part, text] += 1
        key = f"{phone}:{part}:{text}:{self._parts[phone, part, text]}"
        return self._fate(key, phone, part, validity_s)

    def _fate(self, reference: str, phone: str, part: int, validity_s: float | None) -> Fate:
        for place, rule in enumerate(self.behaviour.by_phone):
            use = place, phone, part
            if rule.part in (0, part) and rule.match.fullmatch(phone) and not 0 < rule.times <= self._used[use]:
                self._used[use] += 1
                return decide_fate(self.behaviour, reference, validity_s, rule)
        return decide_fate(self.behaviour, reference, validity_s, None)


def _code(behaviour: Behaviour, rule: PhoneRule | None, answer: str) -> str | None:
    match answer:
        case "refuse" | "refuse_group":
            return rule.code if rule else behaviour.refuse_code
        case "throttle":
            return "too_fast"
        case "nack":
            return "malformed"
    return None


def _final(behaviour: Behaviour, draw: float) -> str:
    if draw < behaviour.silent_share:
        return "none"
    return behaviour.fail_code if draw < behaviour.silent_share + behaviour.fail_share else "DELIVRD"


def _pick(behaviour: Behaviour, draw: float) -> str:
    for name in ANSWERS:
        if name != "accept":
            share: float = getattr(behaviour, f"{name}_share")
            if draw < share:
                return name
            draw -= share
    return "accept"


def _draws(seed: int, reference: str) -> tuple[float, ...]:
    digest = blake2b(f"{seed}:{reference}".encode(), digest_size=40).digest()
    return tuple(number / 2**64 for number in struct.unpack("<5Q", digest))


def _further_draws(seed: int, reference: str) -> tuple[float, ...]:
    # Drawn separately, so that adding these did not change the other draws.
    digest = blake2b(f"{seed}:{reference}".encode(), digest_size=24, person=b"further").digest()
    return tuple(number / 2**64 for number in struct.unpack("<3Q", digest))


def _between(bounds: tuple[float, float], draw: float) -> float:
    return bounds[0] + draw * (bounds[1] - bounds[0])
