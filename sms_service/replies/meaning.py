"""What a reply means. Only one thing acts by itself: that somebody wants no more texts."""

from __future__ import annotations

import unicodedata

# The words that stand in the unsubscribe line, and those that people write instead; DESIGN.md §6.
_STOP = frozenset({"r", "t", "td", "n", "退订", "拒收"})


def is_stop(text: str) -> bool:
    """Whether the whole text is a stop word, in any width and case; blanks around it do not count."""
    return unicodedata.normalize("NFKC", text).strip().casefold() in _STOP
