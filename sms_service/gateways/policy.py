"""The content policy of a gateway account: which texts its provider lets through, as `gateways.toml` says it.

    [accounts.<name>.policy]
    templates = "required"       # only texts whose template version the provider has registered; else "free"
    refused_words = ["股票"]     # words of subjects that the provider refuses
    longest_text = 300           # characters, the signature included
    suffix = "拒收请回复R"       # what every text has to end with
    window = ["08:00", "20:00"]  # the hours in which the provider takes texts
    no_links = true              # texts with links are refused

Lint reads all of it before a text is approved. The gate reads `templates` alone.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Literal

from sms_service.gateways.options import between, option

LONGEST = 1_000  # characters of a text that a template may make
_CLOCK = re.compile(r"(?:[01][0-9]|2[0-3]):[0-5][0-9]|24:00")


def _words(value: tuple[str, ...]) -> str | None:
    if all(word.strip() == word and 0 < len(word) <= 50 for word in value):
        return None
    return "must be words of 1 to 50 characters, without spaces around them"


def _suffix(value: str) -> str | None:
    return None if value.strip() == value and 0 < len(value) <= 50 else "must have 1 to 50 characters, in one line"


def _window(value: tuple[str, ...]) -> str | None:
    if len(value) == 2 and all(map(_CLOCK.fullmatch, value)) and value[0] < value[1]:
        return None
    return 'must be two times of one day, the earlier first, as in ["08:00", "20:00"]'


@dataclass(frozen=True, slots=True)
class Policy:
    """Which texts a provider lets through; see the top of this module. Empty: it lets all through."""

    templates: Literal["free", "required"] = "free"
    refused_words: tuple[str, ...] = option(default=(), check=_words)
    longest_text: int | None = option(default=None, check=between(1, LONGEST))
    suffix: str = option(default="", check=_suffix)
    window: tuple[str, ...] = option(default=(), check=_window)
    no_links: bool = False

    def as_json(self) -> dict[str, Any]:
        """What it forbids or wants, as lint reads it from the database; `templates` has a column of its own."""
        said = {
            "refused_words": list(self.refused_words),
            "longest_text": self.longest_text,
            "suffix": self.suffix,
            "window": list(self.window),
            "no_links": self.no_links,
        }
        return {key: value for key, value in said.items() if value}


FREE = Policy()
