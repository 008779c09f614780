"""The whole text as it leaves: 【signature】, the rendered template, the unsubscribe line, and its length in parts."""

from __future__ import annotations

import unicodedata
from typing import NamedTuple

from sms_service.content.classes import UNSUBSCRIBE_LINE, class_rules
from sms_service.content.comparing import CannotRender
from sms_service.content.language import CompiledTemplate, Values
from sms_service.errors import Invalid
from sms_service.parts import Encoding, measure_text
from sms_service.said import say

# Carriers register signatures of 2 to 12 or 2 to 16 characters, by account.
_SHORTEST, _LONGEST = 2, 16
# Unicode categories that a signature may not hold: brackets, spaces, controls, invisible characters and non-characters.
_NOT_IN_SIGNATURE = {"Ps", "Pe", "Zs", "Zl", "Zp", "Cc", "Cf", "Cs", "Co", "Cn"}
# After these characters the unsubscribe line follows directly. After any other, such as the end of a link, a space is
# put between.
_CLOSING = frozenset("。！？…；，、：.!?;,:）)】]》」』”’\n")


class Composed(NamedTuple):
    """A text ready to leave, with its measure: see `parts.Measure`."""

    text: str
    encoding: Encoding
    units: int
    parts: int


def compose_text(template: CompiledTemplate, values: Values, signature: str, class_: str) -> Composed:
    """Render a template for one recipient and finish the text.

    `signature` has no brackets and has passed `check_signature`. The text begins with it exactly once, also if the
    template already begins with it. If the class has an unsubscribe line, the text ends with that line exactly once.
    Raises CannotRender as `CompiledTemplate.render` does, and if the rendered text begins with another 【signature】.
    """
    text = sign_text(template.render(values), signature)
    if class_rules(class_).unsubscribe_line and not text.endswith(UNSUBSCRIBE_LINE):
        text += UNSUBSCRIBE_LINE if text[-1] in _CLOSING else f" {UNSUBSCRIBE_LINE}"
    return Composed(text, *measure_text(text))


def sign_text(text: str, signature: str) -> str:
    """A rendered text with 【signature】 in front, exactly once. Raises CannotRender if it begins with another one."""
    mark = f"【{signature}】"
    return mark + (_without_signature(text, mark) if text[0] == "【" else text)


def _without_signature(text: str, mark: str) -> str:
    """A text that begins with 【, without its signature."""
    if not text.startswith(mark):
        raise CannotRender(say("the text begins with another signature than {mark}", mark=mark))
    text = text.removeprefix(mark).lstrip()
    if not text:
        raise CannotRender("the text is empty but for its signature")
    if text[0] == "【":
        raise CannotRender(say("after {mark} the text begins with another 【…】", mark=mark))
    return text


def check_signature(signature: str) -> str:
    """The signature, unchanged, if it can be used.

    Raises Invalid("signature", …) unless it has 2 to 16 characters without brackets, spaces and invisible characters.
    """
    if not _SHORTEST <= len(signature) <= _LONGEST:
        raise Invalid(
            "signature",
            signature,
            say(
                "has {number} characters; it must have {least} to {most}",
                number=len(signature),
                least=_SHORTEST,
                most=_LONGEST,
            ),
        )
    for character in signature:
        if unicodedata.category(character) in _NOT_IN_SIGNATURE:
            raise Invalid(
                "signature",
                signature,
                say(
                    "holds {character!r}; write the name alone, without 【】, other brackets or spaces",
                    character=character,
                ),
            )
    return signature


def check_beginning(body: str, signature: str) -> None:
    """Refuse a body that begins with another 【…】 than this signature: carriers would take it for a signature.

    If a value decides how the text begins, `compose_text` finds this out. Raises Invalid("body", …).
    """
    start = body.lstrip()
    mark = f"【{signature}】"
    if start.startswith("【") and not start.startswith(mark):
        found = start[: start.find("】") + 1] or start[:20]
        raise Invalid(
            "body",
            found,
            say("begins with {found}, but the signature is {mark}; leave {found} out", found=found, mark=mark),
        )
