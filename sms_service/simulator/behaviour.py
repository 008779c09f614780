"""How the simulator behaves: every fault it knows, by share of all texts and by number.

Two words: an *answer* is what the caller sees, an *outcome* is what happened to the text.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

# The answers to a text: name -> whether the simulator takes the text. Over SMPP each part has its own answer.
ANSWERS: Mapping[str, bool] = {
    "accept": True,  # 201 and an id; ESME_ROK and an id
    "refuse": False,  # an error status and a code; the command_status of the code
    "throttle": False,  # 429 and Retry-After; ESME_RTHROTTLED or ESME_RMSGQFUL
    "hang": True,  # taken, and never answered
    "error": True,  # taken, and answered 500; ESME_RSYSERR
    "reset": True,  # taken, and the connection reset
    "garble": True,  # taken, and an answer that cannot be read, see `garble_as`
    "lose": False,  # not taken, and the connection reset: to the caller the same as `reset`
    "crawl": True,  # accepted, but answered only after `crawl_s`
    "early": True,  # accepted, but answered only after its receipts were sent
    "ignore": False,  # not taken, and never answered: to the caller the same as `hang`
    "partial": True,  # the first part of a long text is taken, the others are not; 207, an id and the code partial
    "omit": True,  # taken, and the answer to its group does not list it; 201 or ESME_ROK without an id
    "refuse_group": False,  # refused, together with every other text in the same POST
    "nack": False,  # 400 malformed; generic_nack with ESME_RINVCMDID
    "unbind": False,  # not taken: the SMSC unbinds instead; over HTTP the same as `lose`
}

# The statuses of refusals; every other code is answered 422.
REFUSALS: Mapping[str, int] = {
    "malformed": 400,
    "invalid_number": 400,
    "unauthorized": 401,
    "no_balance": 402,
    "blocked": 403,
    "blacklisted": 403,
    "content": 422,
    "template": 422,
    "signature": 422,
    "too_fast": 429,
    "unavailable": 503,
}

# The values that these text fields may have; other text fields take any text.
CHOICES: Mapping[str, tuple[str, ...]] = {
    # cut: it ends in the middle; empty: no body; no_id: readable, but without an id; text: other words in plain text;
    # binary: not text; huge: more than a client should read; protocol: not HTTP, or not SMPP.
    "garble_as": ("cut", "empty", "no_id", "text", "binary", "huge", "protocol"),
    # usual: "whole" over HTTP, "each" over SMPP. whole: one receipt when all parts are taken; each: one for each part;
    # one: for the first part only.
    "receipt_parts": ("usual", "whole", "each", "one"),
    "smpp_ids": ("plain", "decimal", "hex", "hex_then_decimal", "decimal_then_hex"),  # in responses, then in receipts
    "smpp_receipt_form": ("both", "tlv", "text"),  # where a receipt has its id and state
    "smpp_throttle": ("throttled", "queue_full"),
    # ESME_RBINDFAIL; ESME_RINVPASWD; no answer; one session at a time, further ones ESME_RALYBND.
    "smpp_binds": ("accept", "fail", "password", "ignore", "one"),
}


@dataclass(frozen=True, slots=True)
class PhoneRule:
    """Numbers that match `match` (a regular expression, whole number) get this answer and this receipt.

    `code` is the refusal's code; `receipt` a receipt code, or "none" for no receipt, after `receipt_delay_s` if given.
    `part`: only this part of an SMPP text; 0 is any. `times`: the rule applies to the first so many texts of each
    number (over SMPP: to each part so many times), then the next rule applies; 0 is for ever. `reply`: what the phone
    answers; empty: nothing.
    """

    match: re.Pattern[str]
    answer: str = "accept"
    code: str = "blocked"
    receipt: str = "DELIVRD"
    receipt_delay_s: tuple[float, float] | None = None
    part: int = 0
    times: int = 0
    reply: str = ""


@dataclass(frozen=True, slots=True)
class Behaviour:
    """How it behaves. A share, from 0 to 1, says to what part of all texts something happens; times are in seconds."""

    seed: int = 0
    refuse_share: float = 0.0
    refuse_code: str = "blocked"  # also for `refuse_group`
    throttle_share: float = 0.0
    retry_after_s: int = 1
    hang_share: float = 0.0
    error_share: float = 0.0
    reset_share: float = 0.0
    garble_share: float = 0.0
    garble_as: str = "cut"
    lose_share: float = 0.0
    crawl_share: float = 0.0
    crawl_s: tuple[float, float] = (5.0, 10.0)
    early_share: float = 0.0
    ignore_share: float = 0.0
    partial_share: float = 0.0
    omit_share: float = 0.0
    refuse_group_share: float = 0.0
    nack_share: float = 0.0
    unbind_share: float = 0.0
    fail_share: float = 0.0  # of the texts taken: the final receipt is `fail_code`
    fail_code: str = "UNDELIV"
    silent_share: float = 0.0  # of the texts taken: no receipt ever
    unpushed_share: float = 0.0  # of the texts taken: no receipt is sent, but a look-up tells how it arrived
    duplicate_share: float = 0.0  # of the texts taken: every receipt is sent twice
    interim: bool = False  # a receipt ENROUTE before the final one
    reversed: bool = False  # … or, with `interim`, after it
    receipt_delay_s: tuple[float, float] = (0.1, 1.0)  # from taking a text to its final receipt: shortest, longest
    receipt_parts: str = "usual"
    answer_delay_s: tuple[float, float] = (0.0, 0.0)
    receipts_batch: int = 1  # the most receipts in one POST
    rate: float = 0.0  # texts a second (over SMPP parts a second); faster ones are throttled; 0 means no limit
    reply_share: float = 0.0  # of the texts delivered: the phone answers `reply_text`
    reply_text: str = "收到"
    reply_delay_s: tuple[float, float] = (0.5, 2.0)  # from the final receipt to the reply: shortest, longest
    reply_parts: bool = False  # a long reply comes in its parts over HTTP too, as it always does over SMPP
    by_phone: tuple[PhoneRule, ...] = ()
    # Registered templates by id, such as {"T1": "{1}同志，请于{2}参加学习。"}. While there are some, a text over HTTP
    # needs one of them, a parameter for each place, and the words that come out.
    templates: Mapping[str, str] = field(default_factory=dict)
    smpp_ids: str = "plain"
    smpp_receipt_form: str = "both"
    smpp_unknown_tlvs: bool = False  # an optional parameter that no client knows in every PDU that may have one
    smpp_throttle: str = "throttled"
    smpp_require_receipts: bool = True  # a submit_sm that does not ask for a receipt is refused
    smpp_binds: str = "accept"
    smpp_enquire_s: float = 0.0  # the SMSC sends an enquire_link so often; 0 is never
    smpp_answer_enquire: bool = True
    smpp_window: int = 100  # the most deliver_sm that may wait for an answer at once
    smpp_ack_s: float = 10.0  # a deliver_sm without an answer for so long is sent again
    smpp_delay_acks: bool = False  # TCP acknowledges late, which reveals a client without TCP_NODELAY
