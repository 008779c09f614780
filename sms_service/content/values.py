"""Where the values of a template's variables come from.

The recipient's own fields come first, then the campaign's values, then the recipient's attributes (any key of them).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from sms_service.content.language import MAX_VALUE
from sms_service.errors import Invalid

RECIPIENT_FIELDS = (
    "name",
    "unit",
    "number",
)  # the person's name, their unit's name, the office's number for the person


def check_values(values: Mapping[str, Any]) -> None:
    """Refuse values that cannot be the same for all recipients of a campaign.

    Each must be a text or a number of at most 2,000 characters, under a name that is not a recipient's own field.
    Raises Invalid("values.<name>", …).
    """
    for name, value in values.items():
        if name in RECIPIENT_FIELDS:
            raise Invalid(f"values.{name}", value, "is each recipient's own; leave it out")
        if isinstance(value, bool) or not isinstance(value, (str, int, float)):
            raise Invalid(f"values.{name}", value, "must be a text or a number")
        if isinstance(value, float) and not math.isfinite(value):
            raise Invalid(f"values.{name}", str(value), "must be a text or a number")
        if len(str(value)) > MAX_VALUE:
            raise Invalid(
                f"values.{name}", f"{len(str(value))} characters", f"must have at most {MAX_VALUE} characters"
            )
