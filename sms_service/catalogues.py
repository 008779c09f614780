"""What the service says in other languages: the `.po` files of the folder `locale`, each read once.

English needs none: a message is its own key. `make messages` keeps the files up with the sources.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType

from babel import UnknownLocaleError
from babel.messages import Catalog
from babel.messages.pofile import PoFileError, read_po

FOLDER = Path(__file__).parent / "locale"
_LOCALES = {"zh": "zh_Hans"}
_ENGLISH: Mapping[str, str] = MappingProxyType({})


class BadCatalogue(Exception):
    """A file of translations is missing or cannot be read; the process does not start."""


@cache
def get_catalogue(language: str) -> Mapping[str, str]:
    """The translations into `zh` or `en`, from message to message, as `said.translate` takes them.

    Raises BadCatalogue, when the file is first asked for: a door asks when it starts.
    """
    if language == "en":
        return _ENGLISH
    catalogue = read_catalogue(FOLDER / _LOCALES[language] / "messages.po")
    return MappingProxyType({str(entry.id): str(entry.string) for entry in catalogue if entry.id and entry.string})


def read_catalogue(path: Path) -> Catalog:
    """The file as babel holds it. Raises BadCatalogue."""
    try:
        with path.open("rb") as file:
            return read_po(file, locale=path.parent.name, charset="utf-8", abort_invalid=True)
    except OSError as error:
        raise BadCatalogue(f"the translations in {path} cannot be read: {error.strerror}") from None
    except (PoFileError, UnicodeDecodeError, UnknownLocaleError, ValueError) as error:
        raise BadCatalogue(f"the translations in {path} cannot be used: {error}") from None
