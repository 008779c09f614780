"""How one provider writes phone numbers."""

from __future__ import annotations

from typing import Literal

import phonenumbers

from sms_service.gateways import numbers

Form = Literal["e164", "digits", "national"]


class Phones:
    """`form`: with + and country code; with the country code only; or without both, which is possible only for phones
    of the country code `country`.
    """

    def __init__(self, form: Form, country: int) -> None:
        self._form, self._prefix = form, f"+{country}"
        self._region = phonenumbers.region_code_for_country_code(country)

    def write(self, phone: str) -> str | None:
        """A phone (E.164) in the provider's form; None if it cannot be written so, because it is of another country."""
        if self._form == "e164":
            return phone
        if self._form == "digits":
            return phone.removeprefix("+")
        # Without its country code, a foreign number would be the number of somebody else.
        if not phone.startswith(self._prefix) or numbers.e164(phone.removeprefix(self._prefix), self._region) != phone:
            return None
        return phone.removeprefix(self._prefix)

    def read(self, written: str) -> str | None:
        """The provider's number in E.164; None if it is not a complete number."""
        return numbers.e164(written, self._region)
