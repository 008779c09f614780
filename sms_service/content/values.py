"""Where the values of a template's variables come from.

The first of these that has the name counts: the recipient's own fields, the campaign's values, the recipient's
attributes (any key of them).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from sms_service.errors import Invalid
from sms_service.said import say

MOST_VALUES = 50  # names of one campaign
LONGEST_VALUE = 500  # characters of one value: half of the longest text
LONGEST_NAME = 100

RECIPIENT_FIELDS = (
    "name",
    "unit",
    "number",
)  # the person's name, their unit's name, the office's number for the person


def check_values(values: Mapping[str, Any]) -> None:
    """Refuse values that cannot be the same for all recipients of a campaign.

    At most 50, each a text or a number of at most 500 characters, under a name of at most 100 characters that is not a
    recipient's own field. Raises Invalid("values", …) or Invalid("values.<name>", …).
    """
    if len(values) > MOST_VALUES:
        raise Invalid(
            "values", None, say("has {number} names; at most {most} are allowed", number=len(values), most=MOST_VALUES)
        )
    for name, value in values.items():
        if not 1 <= len(name) <= LONGEST_NAME:
            raise Invalid("values", name, say("has a name that has not 1 to {most} characters", most=LONGEST_NAME))
        if name in RECIPIENT_FIELDS:
            raise Invalid(f"values.{name}", value, "is each recipient's own; leave it out")
        if isinstance(value, bool) or not isinstance(value, (str, int, float)):
            raise Invalid(f"values.{name}", value, "must be a text or a number")
        if isinstance(value, float) and not math.isfinite(value):
            raise Invalid(f"values.{name}", str(value), "must be a text or a number")
        if len(str(value)) > LONGEST_VALUE:
            raise Invalid(
                f"values.{name}",
                f"{len(str(value))} characters",
                say("must have at most {most} characters", most=LONGEST_VALUE),
            )
