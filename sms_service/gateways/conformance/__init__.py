"""The conformance kit: the same scenarios for every adapter, our own and third parties', run by pytest.

    class TestMine(Conformance):
        @pytest.fixture(scope="class")
        @classmethod
        def provider(cls):
            with MyProvider() as provider:  # a Provider: drives a stand-in of the provider
                yield provider

See docs/gateways.md. It needs pytest, which the service itself does not.
"""

import pytest

pytest.register_assert_rewrite(
    *(f"{__name__}.{module}" for module in ("reading", "scenarios", "handing_over", "reporting", "guarding", "manners"))
)

from sms_service.gateways.conformance.guarding import Guarding  # noqa: E402
from sms_service.gateways.conformance.handing_over import HandingOver  # noqa: E402
from sms_service.gateways.conformance.manners import Manners  # noqa: E402
from sms_service.gateways.conformance.provider import Answer, Provider, Report, Taken  # noqa: E402
from sms_service.gateways.conformance.reading import pulled, pushed  # noqa: E402
from sms_service.gateways.conformance.reporting import Reporting  # noqa: E402

__all__ = ["Answer", "Conformance", "Provider", "Report", "Taken", "pulled", "pushed"]


class Conformance(HandingOver, Reporting, Guarding, Manners):
    """Every scenario. Subclass it as `Test…` and give it a fixture `provider`."""
