"""Where the values of a template's variables come from.

The first of these that has the name counts: the recipient's own fields, the campaign's values, the recipient's
attributes (any key of them).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from sms_service.audience.listed import is_of_row
from sms_service.content.comparing import MOST_ITEMS, write_plain
from sms_service.content.language import find_place
from sms_service.errors import Invalid
from sms_service.said import say

MOST_VALUES = 50  # names of one campaign
LONGEST_VALUE = 500  # characters of one value: half of the longest text
LONGEST_NAME = 100

QUESTION = "question"  # of a quiz: what is asked, with its options
# The person's name, their unit's name, the office's number for the person, and what they are asked.
RECIPIENT_FIELDS = ("name", "unit", "number", QUESTION)


def check_values(values: Mapping[str, Any]) -> None:
    """Refuse values that cannot be the same for all recipients of a campaign.

    At most 50, each a text, a number or a list of at most 50 of them, of at most 500 characters and without {{ or {%,
    under a name of at most 100 characters that is not a recipient's own field. Raises Invalid("values", …) or
    Invalid("values.<name>", …).
    """
    if len(values) > MOST_VALUES:
        raise Invalid(
            "values", None, say("has {number} names; at most {most} are allowed", number=len(values), most=MOST_VALUES)
        )
    for name, value in values.items():
        if not 1 <= len(name) <= LONGEST_NAME:
            raise Invalid("values", name, say("has a name that has not 1 to {most} characters", most=LONGEST_NAME))
        if name in RECIPIENT_FIELDS or is_of_row(name):
            raise Invalid(f"values.{name}", value, "is each recipient's own; leave it out")
        for one in value if isinstance(value, list) else [value]:
            if isinstance(one, bool) or not isinstance(one, (str, int, float)):
                raise Invalid(f"values.{name}", value, "must be a text, a number or a list of them")
            if isinstance(one, float) and not math.isfinite(one):
                raise Invalid(f"values.{name}", str(one), "must be a text, a number or a list of them")
        if isinstance(value, list) and len(value) > MOST_ITEMS:
            reason = say("has {number} entries; at most {most} are allowed", number=len(value), most=MOST_ITEMS)
            raise Invalid(f"values.{name}", None, reason)
        text = write_value(value)
        if mark := find_place(text):
            reason = say("holds {mark}, which would be sent as it stands; write what is meant", mark=mark)
            raise Invalid(f"values.{name}", value, reason)
        if len(text) > LONGEST_VALUE:
            raise Invalid(
                f"values.{name}",
                f"{len(text)} characters",
                say("must have at most {most} characters", most=LONGEST_VALUE),
            )


def write_value(value: Any) -> str:
    """A value as people write it and as a form shows it: a list as 甲、乙."""
    if isinstance(value, list):
        return "、".join(write_value(one) for one in value)
    return write_plain(value) if isinstance(value, (int, float)) else str(value)
