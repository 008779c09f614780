"""The SMPP link in the conformance kit, with the simulator as its SMSC."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from smpp_provider import SmppProvider

from sms_service.gateways.conformance import Conformance


class TestSmpp(Conformance):
    @pytest.fixture(scope="class")
    @classmethod
    def provider(cls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmppProvider]:
        with SmppProvider(tmp_path_factory.mktemp("smpp")) as provider:
            yield provider
