"""Makes the corpus of tricky texts by which our count of parts is compared with Twilio's published calculator.

    .venv/bin/python tests/peers/tricky_texts.py | node tests/peers/segments.js > tests/data/segments.jsonl

`npm ci` in this folder brings the calculator (sms-segments-calculator, MIT). Run both again when the corpus or the
calculator's version changes; tests/content/test_calculator.py reads the result.
"""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Iterator

BASIC = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCXYZÄÖÑÜ§¿abcxyzäöñüà"
EXTENSION = "\f^{}\\[~]|€"
FOREIGN = "ç`’“”–…•\tÿŒœ「」。，拒学😀👨‍👩‍👧🇨🇳é\u200b\u00a0\ufeff𠮷ﬀ①Ｒ"
CHINESE = "张三同志：您好！学习内容请抽空阅读，入脑入心。拒收请回复R"


def texts() -> Iterator[str]:
    """Every text once, in a fixed order."""
    chance = random.Random(20261128)
    for character in sorted({*BASIC, *EXTENSION, *FOREIGN, *CHINESE}):
        yield character
        yield character * 2
    for length in (1, 69, 70, 71, 133, 134, 135, 152, 153, 154, 159, 160, 161, 201, 202, 305, 306, 307, 459, 460):
        for unit in ("a", "学", "€", "😀", "é", "{", "\n", "ç"):
            yield unit * length
    # A pair or an escape that would be cut at the end of a part.
    for before in range(64, 72):
        for tail in ("😀", "😀😀", "𠮷学", "👨‍👩‍👧", "🇨🇳", "e\u0301"):
            yield "学" * before + tail + "学" * 70
            # As long as two parts can be: whoever keeps a combined character whole needs a third.
            yield "学" * before + tail + "学" * (134 - before - len(tail.encode("utf-16-le")) // 2)
    for before in range(150, 163):
        for tail in ("€", "€€", "[]", "\\", "^a", "|"):
            yield "a" * before + tail + "b" * 10
    # One character that makes the whole text UCS-2.
    for character in "ç’“”–…\t\u00a0`学😀":
        for length in (60, 69, 70, 100, 133, 160):
            yield "a" * length + character
    for _ in range(160):
        alphabet = chance.choice([BASIC, BASIC + EXTENSION, CHINESE, CHINESE + "😀𠮷", BASIC + FOREIGN])
        yield "".join(chance.choice(alphabet) for _ in range(chance.randint(1, 420)))
    yield from ("\r\n" * 40, "a\r\nb" * 40, "学\r\n" * 40, "\r" * 161, "\f" * 81)


if __name__ == "__main__":
    for text in dict.fromkeys(texts()):
        sys.stdout.write(json.dumps(text) + "\n")
