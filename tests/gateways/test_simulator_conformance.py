"""The simulator's adapter in the conformance kit: one text a POST, and many."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from simulator_provider import SimulatorProvider

from sms_service.gateways.base import Group, Outcome, OutcomeKind, Text
from sms_service.gateways.conformance import Conformance
from sms_service.gateways.simulator.adapter import SimulatorAdapter


class TestOneByOne(Conformance):
    @pytest.fixture(scope="class")
    @classmethod
    def provider(cls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimulatorProvider]:
        with SimulatorProvider(tmp_path_factory.mktemp("simulator"), batch=1) as provider:
            yield provider


class TestInBatches(Conformance):
    @pytest.fixture(scope="class")
    @classmethod
    def provider(cls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimulatorProvider]:
        with SimulatorProvider(tmp_path_factory.mktemp("simulator"), batch=20) as provider:
            yield provider


class TestWithTemplates(Conformance):
    @pytest.fixture(scope="class")
    @classmethod
    def provider(cls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimulatorProvider]:
        with SimulatorProvider(tmp_path_factory.mktemp("simulator"), batch=20, templates=True) as provider:
            yield provider


class _CallsItUnknown(SimulatorAdapter):
    def submit(self, group: Group) -> list[Outcome]:
        return [
            replace(outcome, kind=OutcomeKind.unknown) if outcome.kind is OutcomeKind.partial else outcome
            for outcome in super().submit(group)
        ]


def test_a_text_taken_in_part_must_be_called_so(tmp_path_factory: pytest.TempPathFactory) -> None:
    """As test_conformance_kit has it, of the one scenario that Pigeon has no use for."""
    with SimulatorProvider(tmp_path_factory.mktemp("simulator"), batch=20) as provider:
        adapter = provider.adapter()
        adapter.__class__ = _CallsItUnknown
        with pytest.raises(AssertionError):
            Conformance().test_some_parts_taken(provider, adapter)
        adapter.close()


class _NamesNoTemplate(SimulatorAdapter):
    def _document(self, text: Text, validity_s: int | None) -> dict[str, Any]:
        document = super()._document(text, validity_s)
        return {key: value for key, value in document.items() if key != "template_id"}

    def submit(self, group: Group) -> list[Outcome]:
        given = [replace(text, template_id=text.template_id or "T-1") for text in group.texts]
        return [
            replace(outcome, kind=OutcomeKind.unknown) if outcome.raw_code == "template" else outcome
            for outcome in super().submit(Group(group.reference, given, group.validity_s))
        ]


def test_templates_must_be_asked_for_and_refusals_understood(tmp_path_factory: pytest.TempPathFactory) -> None:
    with SimulatorProvider(tmp_path_factory.mktemp("simulator"), batch=20, templates=True) as provider:
        adapter = provider.adapter()
        adapter.__class__ = _NamesNoTemplate
        with pytest.raises(AssertionError):
            Conformance().test_without_template(adapter)
        with pytest.raises(AssertionError):
            Conformance().test_wrong_template(provider, adapter)
        adapter.close()
