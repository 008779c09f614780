"""What no request may contain, on any route; checked once, before anything reads the address or the body."""

from __future__ import annotations

import json
import math
import unicodedata
from typing import Any, NoReturn

from flask import Flask, request
from werkzeug.exceptions import BadRequest

from sms_service.said import say

DEEPEST = 32  # levels of JSON; a segment's rule has at most 18
LONGEST_NUMBER = 40  # characters of a number in JSON: more than any column holds


def register_guard(app: Flask) -> None:
    """Check the address of every request to `app`, callbacks included."""
    app.before_request(_check_address)


def read_json(body: bytes) -> Any:
    """The value of strict JSON in UTF-8 (RFC 8259): no NaN, no huge number, no deep nesting. Raises BadRequest."""
    try:
        value = json.loads(body.decode("utf-8"), parse_constant=_refuse, parse_int=_whole, parse_float=_fraction)
    except json.JSONDecodeError as error:
        raise BadRequest(
            say("The body is not JSON in UTF-8 at line {line}, column {column}.", line=error.lineno, column=error.colno)
        ) from None
    except UnicodeDecodeError:
        raise BadRequest("The body is not JSON in UTF-8.") from None
    except RecursionError:
        raise BadRequest(_TOO_DEEP) from None
    if _is_deeper(value, DEEPEST):
        raise BadRequest(_TOO_DEEP)
    return value


_TOO_DEEP = say("The body is nested deeper than {most} levels.", most=DEEPEST)


def _check_address() -> None:
    if any(unicodedata.category(character) == "Cc" for character in request.path):
        raise BadRequest("The address contains a control character.")


def _whole(digits: str) -> int:
    if len(digits) > LONGEST_NUMBER:
        raise BadRequest(say("The body has a number of more than {most} digits.", most=LONGEST_NUMBER))
    return int(digits)


def _fraction(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise BadRequest(say("The body has a number that is too large: {digits}.", digits=digits[:LONGEST_NUMBER]))
    return number


def _refuse(name: str) -> NoReturn:
    raise BadRequest(say("The body contains {name}, which is not JSON.", name=name))


def _is_deeper(value: Any, levels: int) -> bool:
    """Whether lists and objects are nested deeper than `levels`. Goes level by level: recursion could run too deep."""
    level = [value]
    for _ in range(levels + 1):
        level = [
            inner
            for outer in level
            if isinstance(outer, dict | list)
            for inner in (outer.values() if isinstance(outer, dict) else outer)
        ]
        if not level:
            return False
    return True
