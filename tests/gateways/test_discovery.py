"""Adapters of installed packages: found by entry point, and each mistake in one ends in one clear line."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from sms_service.gateways.config import BadGatewayConfig, load_gateway_config

GATEWAYS = '[accounts.city]\nadapter = "stork"\n[routes]\ndefault = ["city"]\n'
GOOD = """
from dataclasses import dataclass

@dataclass(frozen=True)
class Options:
    pass

def create(name, options, callback_url):
    raise NotImplementedError
"""


def install(folder: Path, source: str | None, monkeypatch: pytest.MonkeyPatch, value: str = "stork_sms") -> Path:
    """A package as pip leaves it, on the import path; returns a gateways.toml that uses its adapter."""
    site = folder / "site"
    (site / "stork_sms-2.1.dist-info").mkdir(parents=True)
    (site / "stork_sms-2.1.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: stork_sms\nVersion: 2.1\n")
    points = f"[sms_service.gateways]\nstork = {value}\n"
    (site / "stork_sms-2.1.dist-info" / "entry_points.txt").write_text(points)
    if source is not None:
        (site / "stork_sms.py").write_text(source)
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.delitem(sys.modules, "stork_sms", raising=False)
    gateways = folder / "gateways.toml"
    gateways.write_text(GATEWAYS)
    return gateways


def test_an_installed_packages_adapter_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = load_gateway_config(install(tmp_path, GOOD, monkeypatch), {})
    assert found.accounts["city"].adapter == "stork"


@pytest.mark.parametrize(
    ("source", "value", "reason"),
    [
        (None, "stork_sms", "cannot be imported: ModuleNotFoundError: No module named 'stork_sms'"),
        ("import stork_of_nowhere", "stork_sms", "ModuleNotFoundError: No module named 'stork_of_nowhere'"),
        ("raise RuntimeError('no licence')", "stork_sms", "cannot be imported: RuntimeError: no licence"),
        ("def (", "stork_sms", "cannot be imported: SyntaxError"),
        (GOOD, "stork_sms:adapter", "cannot be imported: AttributeError"),
        (GOOD.replace("class Options", "class Settings"), "stork_sms", "has no dataclass Options"),
        (GOOD.replace("@dataclass(frozen=True)", ""), "stork_sms", "has no dataclass Options"),
        (GOOD.replace("def create", "def make"), "stork_sms", "has no function create"),
    ],
)
def test_a_packages_mistake_is_named_with_file_account_and_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str | None, value: str, reason: str
) -> None:
    with pytest.raises(BadGatewayConfig) as raised:
        load_gateway_config(install(tmp_path, source, monkeypatch, value), {})
    said = str(raised.value)
    for named in (str(tmp_path / "gateways.toml"), "[accounts.city] adapter: 'stork'", "stork_sms 2.1", value, reason):
        assert named in said
