"""What the simulator makes of a text: drawn from a seed and the text's reference, so that every run repeats itself.

The field of names: an *answer* is what the caller sees, an *outcome* is what became of the text.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from hashlib import blake2b
from typing import Any, NoReturn, get_type_hints

# What can become of a text: name -> whether the simulator takes it.
ANSWERS: Mapping[str, bool] = {
    "accept": True,  # 201 and an id
    "refuse": False,  # an error status and a code
    "throttle": False,  # 429 and Retry-After
    "hang": True,  # taken, and never answered
    "error": True,  # taken, and answered 500
    "reset": True,  # taken, and the connection reset
    "garble": True,  # taken, and a 201 that cannot be read
    "lose": False,  # not taken, and the connection reset: to the caller the same as `reset`
    "crawl": True,  # 201 and an id, but only after `crawl_s`
    "early": True,  # 201 and an id, but only after its receipts were sent
}

# The statuses of refusals; every other code is answered 422.
REFUSALS: Mapping[str, int] = {
    "malformed": 400,
    "invalid_number": 400,
    "unauthorized": 401,
    "no_balance": 402,
    "blocked": 403,
    "content": 422,
    "signature": 422,
    "too_fast": 429,
    "unavailable": 503,
}


class BadBehaviour(ValueError):
    """A behaviour cannot be used; the message names the field and says what would be right."""


@dataclass(frozen=True, slots=True)
class PhoneRule:
    """Numbers that match `match` (a regular expression, whole number) get this answer and this receipt.

    `code` is the refusal's code; `receipt` a receipt code, or "none" for silence.
    """

    match: re.Pattern[str]
    answer: str = "accept"
    code: str = "blocked"
    receipt: str = "DELIVRD"


@dataclass(frozen=True, slots=True)
class Behaviour:
    """How it behaves. A share, from 0 to 1, is the part of all texts that it happens to; times are in seconds."""

    seed: int = 0
    refuse_share: float = 0.0
    refuse_code: str = "blocked"
    throttle_share: float = 0.0
    retry_after_s: int = 1
    hang_share: float = 0.0
    error_share: float = 0.0
    reset_share: float = 0.0
    garble_share: float = 0.0
    lose_share: float = 0.0
    crawl_share: float = 0.0
    crawl_s: tuple[float, float] = (5.0, 10.0)
    early_share: float = 0.0
    fail_share: float = 0.0  # of the texts taken: the final receipt is `fail_code`
    fail_code: str = "UNDELIV"
    silent_share: float = 0.0  # of the texts taken: no receipt ever
    duplicate_share: float = 0.0  # of the texts taken: every receipt is sent twice
    interim: bool = False  # a receipt ENROUTE before the final one
    reversed: bool = False  # … or, with `interim`, after it
    receipt_delay_s: tuple[float, float] = (0.1, 1.0)  # from taking a text to its final receipt: shortest, longest
    answer_delay_s: tuple[float, float] = (0.0, 0.0)
    receipts_batch: int = 1  # receipts of one POST at most
    rate: float = 0.0  # texts a second; what comes faster is throttled; 0 means no limit
    by_phone: tuple[PhoneRule, ...] = ()


@dataclass(frozen=True, slots=True)
class Fate:
    """What becomes of one text. `receipts` are (seconds after taking it, code), in the order in which they are sent."""

    answer: str
    code: str | None = None
    answer_delay_s: float = 0.0
    receipts: tuple[tuple[float, str], ...] = field(default=())

    @property
    def taken(self) -> bool:
        """Whether the text is the simulator's from now on."""
        return ANSWERS[self.answer]


def change(behaviour: Behaviour, values: Mapping[str, Any]) -> Behaviour:
    """`behaviour` with the fields in `values` (as JSON has them) replaced. Raises BadBehaviour."""
    hints = get_type_hints(Behaviour)
    unknown = values.keys() - hints.keys()
    if unknown:
        raise BadBehaviour(f"{min(unknown)} is not known here; known are {', '.join(sorted(hints))}")
    changed = replace(behaviour, **{name: _value(name, hints[name], value) for name, value in values.items()})
    if sum(_shares(changed).values()) > 1:
        raise BadBehaviour(
            f"the shares {', '.join(f'{name}_share' for name in _shares(changed))} add up to more than 1"
        )
    return changed


def decide(behaviour: Behaviour, reference: str, phone: str, validity_s: float | None) -> Fate:
    """What becomes of the text `reference`; the same for the same arguments, always.

    A text that would be delivered after its validity, in seconds, expires instead.
    """
    answer_draw, receipt_draw, delay_draw, double_draw, answer_delay_draw = _draws(behaviour.seed, reference)
    rule = next((rule for rule in behaviour.by_phone if rule.match.fullmatch(phone)), None)
    answer = rule.answer if rule else _pick(_shares(behaviour), answer_draw)
    code = (rule.code if rule else behaviour.refuse_code) if answer == "refuse" else None
    answer_delay = _between(behaviour.crawl_s if answer == "crawl" else behaviour.answer_delay_s, answer_delay_draw)
    if not ANSWERS[answer]:
        return Fate(answer, "too_fast" if answer == "throttle" else code, answer_delay)
    final = rule.receipt if rule else _final(behaviour, receipt_draw)
    delay = 0.0 if answer == "early" else _between(behaviour.receipt_delay_s, delay_draw)
    if validity_s is not None and delay > validity_s:
        delay, final = validity_s, final if final == "none" else "EXPIRED"
    receipts = [] if final == "none" else [(delay, final)]
    if receipts and behaviour.interim:
        receipts = (
            [(delay, final), (delay * 1.5, "ENROUTE")] if behaviour.reversed else [(delay / 2, "ENROUTE"), *receipts]
        )
    if double_draw < behaviour.duplicate_share:
        receipts = [receipt for receipt in receipts for _ in range(2)]
    return Fate(answer, None, answer_delay, tuple(receipts))


def _final(behaviour: Behaviour, draw: float) -> str:
    if draw < behaviour.silent_share:
        return "none"
    return behaviour.fail_code if draw < behaviour.silent_share + behaviour.fail_share else "DELIVRD"


def _shares(behaviour: Behaviour) -> dict[str, float]:
    return {name: getattr(behaviour, f"{name}_share") for name in ANSWERS if name != "accept"}


def _pick(shares: Mapping[str, float], draw: float) -> str:
    for name, share in shares.items():
        if draw < share:
            return name
        draw -= share
    return "accept"


def _draws(seed: int, reference: str) -> tuple[float, ...]:
    digest = blake2b(f"{seed}:{reference}".encode(), digest_size=40).digest()
    return tuple(number / 2**64 for number in struct.unpack("<5Q", digest))


def _between(bounds: tuple[float, float], draw: float) -> float:
    return bounds[0] + draw * (bounds[1] - bounds[0])


def _value(name: str, hint: Any, value: Any) -> Any:
    if name == "by_phone":
        return tuple(_rule(item) for item in value) if isinstance(value, list) else _bad(name, "a list of rules")
    if hint == tuple[float, float]:
        if not (isinstance(value, list | tuple) and len(value) == 2 and all(map(_is_number, value))):
            return _bad(name, "two numbers, the shortest and the longest time in seconds")
        return (float(value[0]), float(value[1])) if 0 <= value[0] <= value[1] else _bad(name, "from short to long")
    if hint is bool:
        return value if isinstance(value, bool) else _bad(name, "true or false")
    if hint is str:
        return value if isinstance(value, str) and value else _bad(name, "text that is not empty")
    if not _is_number(value) or (hint is int and not isinstance(value, int)):
        return _bad(name, "a whole number" if hint is int else "a number")
    if name.endswith("_share") and not 0 <= value <= 1:
        return _bad(name, "from 0 to 1")
    low = 1 if name == "receipts_batch" else 0
    return value if value >= low or name == "seed" else _bad(name, f"{low} or more")


def _rule(item: Any) -> PhoneRule:
    names = {f.name for f in fields(PhoneRule)}
    if not (isinstance(item, dict) and "match" in item and item.keys() <= names):
        return _bad("by_phone", f"a list of objects with match, and with some of {', '.join(sorted(names))}")
    if not all(isinstance(value, str) for value in item.values()):
        return _bad("by_phone", "rules whose values are text")
    if item.get("answer", "accept") not in ANSWERS:
        return _bad("by_phone", f"rules whose answer is one of {', '.join(ANSWERS)}")
    try:
        return PhoneRule(**{**item, "match": re.compile(item["match"])})
    except re.error as error:
        return _bad("by_phone", f"rules whose match is a regular expression ({error})")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _bad(name: str, wanted: str) -> NoReturn:
    raise BadBehaviour(f"{name} must be {wanted}")
