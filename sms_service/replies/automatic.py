"""Replies that no person wrote: texts of other services, and our own that come back."""

from __future__ import annotations

import re
import unicodedata

from sms_service.stop_words import bare

# Only what a text begins with, or an order not to answer it: people write of automatic answers, too.
_MARK = re.compile(
    r"[\[({<「『《〔]*(?:系统)?(?:自动(?:回复|应答|答复|发送)|auto(?:matic)?[\s_-]*(?:reply|response|answer)|auto[\])}:]"
    r"|out[\s-]of[\s-](?:the[\s-])?office)"
    r"|.*(?:请勿(?:直接)?回复|do not reply)",
    re.DOTALL,
)
_SHORTEST_ECHO = 10  # letters and digits: fewer may be a person's own words


def is_automatic(text: str, answered: str | None) -> bool:
    """Whether a service wrote the reply: it has a 【signature】 in front, as texts of services have and those of people
    have not, it calls itself automatic, or it is the text that it answers, or a part of it, once more.
    """
    plain = unicodedata.normalize("NFKC", text).strip().casefold()
    if plain.startswith("【") or _MARK.match(plain):
        return True
    if answered is None:
        return False
    said, sent = bare(text), bare(answered)
    shorter = min(said, sent, key=len)
    return len(shorter) >= _SHORTEST_ECHO and (said in sent or sent in said)
