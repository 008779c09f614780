"""The kit on every wrong adapter; test_conformance_kit runs this file in a pytest of its own and reads what failed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pigeon_gateway.adapter import PigeonAdapter
from pigeon_provider import CALLBACK, PigeonProvider
from wrong_manners import WRONG

from sms_service.gateways.conformance import Conformance


class Lender(PigeonProvider):
    """One stand-in for all adapters, one after the other: `make` is the class of the present one."""

    make: type[PigeonAdapter] = PigeonAdapter

    def adapter(self, total_timeout_s: float | None = None) -> PigeonAdapter:
        return self.make(self.options(total_timeout_s), CALLBACK)


@pytest.fixture(scope="module")
def lender(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lender]:
    with Lender(tmp_path_factory.mktemp("pigeon")) as lender:
        yield lender


def _wrong(adapter: type[PigeonAdapter]) -> type[Conformance]:
    class Wrong(Conformance):
        grace_s = 0.5  # seconds; enough for an adapter whose fault is to take longer

        @pytest.fixture(scope="class")
        @classmethod
        def provider(cls, lender: Lender) -> Lender:
            lender.make = adapter
            return lender

    return Wrong


for _adapter in WRONG:
    globals()[f"Test{_adapter.__name__}"] = _wrong(_adapter)


class ExcusesTooMuch(PigeonProvider):
    cannot = PigeonProvider.cannot | {"forged": "nobody would"}


class ExcusesNothing(PigeonProvider):
    cannot = PigeonProvider.cannot | {"forgery": "there is no scenario of this name"}


class Misspells(PigeonProvider):
    cannot = PigeonProvider.cannot | {"refused[carier]": "a class that there is not"}


class ForgesNothing(PigeonProvider):
    def forged(self) -> tuple[()]:
        return ()


class ExcusesSpellings(PigeonProvider):
    cannot = PigeonProvider.cannot | {"reply_spellings": "one is enough"}


class SpellsNothing(PigeonProvider):
    def spellings(self, phone: str) -> tuple[()]:
        return ()


class TakesNothing(PigeonProvider):
    def taken(self) -> tuple[()]:
        return ()


def _driven(driver: type[PigeonProvider]) -> type[Conformance]:
    class Driven(Conformance):
        @pytest.fixture(scope="class")
        @classmethod
        def provider(cls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PigeonProvider]:
            with driver(tmp_path_factory.mktemp("pigeon")) as provider:
                yield provider

    return Driven


TestExcusesTooMuch = _driven(ExcusesTooMuch)
TestExcusesNothing = _driven(ExcusesNothing)
TestMisspells = _driven(Misspells)
TestForgesNothing = _driven(ForgesNothing)
TestExcusesSpellings = _driven(ExcusesSpellings)
TestSpellsNothing = _driven(SpellsNothing)
TestTakesNothing = _driven(TakesNothing)
