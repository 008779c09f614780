"""The XML parts of a workbook, parsed as they are unpacked, in bounded memory."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable, Iterator
from xml.parsers import expat

from sms_service.directory.reading.limits import Limits
from sms_service.directory.reading.tables import refuse_file
from sms_service.said import say

CHUNK = 65_536
ESCAPED = 7  # characters that one character may be written with
_ESCAPE = re.compile("_x([0-9A-Fa-f]{4})_")
_NEVER = re.compile("[\x00\ud800-\udfff\ufffe\uffff]")

Attributes = list[str]  # names and values in turn
Started = Callable[[str, Attributes], None]
Ended = Callable[[str], None]


class Unpacked:
    """The parts of one archive; what they unpack to is counted together."""

    def __init__(self, archive: zipfile.ZipFile, limits: Limits) -> None:
        self._archive, self._limits, self._left = archive, limits, limits.unpacked_bytes
        self._counted: dict[str, int] = {}  # a part that is read again counts once
        self.names = {name.lstrip("/").lower(): name for name in archive.namelist()}

    def holds(self, name: str) -> bool:
        """Whether there is a part of this name."""
        return name.lower() in self.names

    def chunks(self, name: str) -> Iterator[bytes]:
        """The part's bytes. Raises Invalid once all parts together have unpacked to too much."""
        found = self.names.get(name.lower())
        if found is None:
            raise KeyError(name)
        with self._archive.open(found) as part:
            read = 0
            while chunk := part.read(CHUNK):
                read += len(chunk)
                if read > self._counted.get(found, 0):
                    self._left -= read - self._counted.get(found, 0)
                    self._counted[found] = read
                if self._left < 0:
                    most = self._limits.unpacked_bytes // 2**20
                    raise refuse_file(say("unpacks to more than {most} MB; split it", most=most))
                yield chunk


def new_parser(started: Started, ended: Ended, characters: Callable[[str], None]) -> expat.XMLParserType:
    """A parser of UTF-8 that calls these with names as written ("row", "x:row") and knows no entities."""
    parser = expat.ParserCreate("utf-8")
    parser.ordered_attributes = True
    parser.buffer_text = True
    parser.buffer_size = CHUNK
    parser.StartElementHandler = started
    parser.EndElementHandler = ended
    parser.CharacterDataHandler = characters
    parser.StartDoctypeDeclHandler = _refuse_doctype
    return parser


def parse_part(unpacked: Unpacked, name: str, parser: expat.XMLParserType) -> Iterator[None]:
    """Feed the part to the parser and yield after each chunk, so that the caller can pass on what was found."""
    for chunk in unpacked.chunks(name):
        parser.Parse(chunk, False)
        yield
    parser.Parse(b"", True)
    yield


def local_name(name: str) -> str:
    """The name without its prefix. Parts of workbooks hold no two elements that differ in their namespaces alone."""
    return name.rpartition(":")[2]


def attribute_map(attributes: Attributes) -> dict[str, str]:
    """Values by local name; of attributes in two namespaces the last counts."""
    return {local_name(attributes[index]): attributes[index + 1] for index in range(0, len(attributes), 2)}


def clean_string(text: str) -> str:
    """The characters that a string of a workbook stands for: `_x000D_` is a carriage return (ECMA-376, ST_Xstring).

    NUL and halves of surrogate pairs are left out: no text has them.
    """
    if "_x" in text:
        text = _ESCAPE.sub(lambda match: chr(int(match[1], 16)), text)
        if any("\ud800" <= character <= "\udfff" for character in text):
            text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "ignore")
    return _NEVER.sub("", text) if _NEVER.search(text) else text


def _refuse_doctype(*_: object) -> None:
    raise refuse_file("holds a document type declaration, which no workbook has; save it again with Excel or WPS")
