"""In which language the API writes what is meant for people: as Accept-Language asks, else English."""

from __future__ import annotations

from collections.abc import Mapping

from flask import request

from sms_service.catalogues import get_catalogue


def choose_answer_language() -> str:
    """`en` or `zh`."""
    return request.accept_languages.best_match(("en", "zh")) or "en"


def answer_catalogue() -> Mapping[str, str]:
    """The translations into that language."""
    return get_catalogue(choose_answer_language())
