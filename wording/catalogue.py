"""A catalogue's file: written anew from what the sources say, with the translations that it had."""

from __future__ import annotations

import io
from collections.abc import Mapping, Set
from pathlib import Path

from babel.messages import Catalog
from babel.messages.pofile import write_po

from sms_service.catalogues import read_catalogue

_COMMENT = "# What sms_service says, in this folder's language. `make messages` writes it, but for each msgstr."


def refresh_catalogue(path: Path, found: Mapping[str, Set[str]]) -> list[str]:
    """Write the file anew and return the messages that have no translation."""
    known = {entry.id: entry.string for entry in read_catalogue(path) if entry.id}
    path.write_bytes(format_catalogue(path.parent.name, found, known))
    return [message for message in _in_order(found) if not known.get(message)]


def format_catalogue(locale: str, found: Mapping[str, Set[str]], known: Mapping[str, str]) -> bytes:
    """The file's content: by source file, without line numbers and dates, so that it changes only where a word does."""
    catalogue = Catalog(locale=locale, fuzzy=False)
    for message in _in_order(found):
        catalogue.add(message, known.get(message, ""), locations=[(name, 1) for name in sorted(found[message])])
    written = io.BytesIO()
    write_po(written, catalogue, width=120, include_lineno=False, omit_header=True)
    return _HEADER.format(locale=locale).encode() + written.getvalue()


def _in_order(found: Mapping[str, Set[str]]) -> list[str]:
    return sorted(found, key=lambda message: (min(found[message]), message))


_HEADER = f"""{_COMMENT}
msgid ""
msgstr ""
"Language: {{locale}}\\n"
"MIME-Version: 1.0\\n"
"Content-Type: text/plain; charset=utf-8\\n"
"Content-Transfer-Encoding: 8bit\\n"
"Plural-Forms: nplurals=1; plural=0;\\n"

"""
