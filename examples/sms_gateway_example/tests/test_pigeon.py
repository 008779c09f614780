"""Pigeon's adapter in the conformance kit."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pigeon_provider import PigeonProvider

from sms_service.gateways.conformance import Conformance


class TestPigeon(Conformance):
    @pytest.fixture(scope="class")
    @classmethod
    def provider(cls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PigeonProvider]:
        with PigeonProvider(tmp_path_factory.mktemp("pigeon")) as provider:
            yield provider
