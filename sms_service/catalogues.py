"""The catalogues of other languages than English: read once from `locale/`."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path

from babel.messages.pofile import read_po

_CHINESE = Path(__file__).with_name("locale") / "zh_Hans" / "messages.po"


@cache
def get_catalogue(language: str) -> Mapping[str, str]:
    """From English message to that of `language` (`zh`); empty for English (`en`)."""
    if language != "zh":
        return {}
    with _CHINESE.open("rb") as file:
        return {str(entry.id): str(entry.string) for entry in read_po(file) if entry.id and entry.string}
