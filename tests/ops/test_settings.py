"""What an installation can set: every bad value is one line that names the setting."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from sms_service.ops.variables import kept_secret, service_variables
from sms_service.settings import BadSetting, load_settings


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "0"), ("PORT", "65536"), ("PORT", "http"), ("PORT", "-1"), ("PORT", "８０"), ("SIMULATOR_PORT", "1.5"),
        ("WORKERS", "-1"), ("WORKERS", "65"), ("DATABASE_URL", "mysql://x"), ("REDIS_URL", "http://x"),
        ("MIGRATION_DATABASE_URL", "sqlite://"), ("RATE_LIMIT", "many"),
    ],
)  # fmt: skip
def test_a_bad_value_names_its_setting(tmp_path: Path, name: str, value: str) -> None:
    with pytest.raises(BadSetting, match=f"^{name} ") as raised:
        load_settings({name: value}, tmp_path)
    assert "\n" not in str(raised.value)


def test_a_bad_url_is_not_repeated_with_its_password(tmp_path: Path) -> None:
    with pytest.raises(BadSetting) as raised:
        load_settings({"DATABASE_URL": "mysql://u:geheim@h/d"}, tmp_path)
    assert "geheim" not in str(raised.value)


def test_the_environment_goes_before_the_file_and_what_is_empty_counts_as_unset(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("PORT=9001\nWORKERS=3\nHOST=\n")
    settings = load_settings({"PORT": "9002", "WORKERS": ""}, tmp_path)
    assert (settings.port, settings.workers, settings.host) == (9002, 3, "127.0.0.1")


def test_another_file_can_be_named(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("PORT=9001\n")
    (tmp_path / "other.env").write_text("PORT=9003\n")
    assert load_settings({"ENV_FILE": "other.env"}, tmp_path).port == 9003
    assert load_settings({"ENV_FILE": "/dev/null"}, tmp_path).port == 8000


def test_a_secret_is_made_once_and_only_its_owner_can_read_it(tmp_path: Path) -> None:
    first = kept_secret(tmp_path / "var", "ONE")
    second = kept_secret(tmp_path / "var", "TWO")
    assert len(first) >= 32
    assert first != second
    assert kept_secret(tmp_path / "var", "ONE") == first
    assert [path.name for path in (tmp_path / "var").iterdir()] == ["secrets.env"]
    assert stat.S_IMODE((tmp_path / "var" / "secrets.env").stat().st_mode) == 0o600


def test_processes_do_not_learn_the_owners_login(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = {
        "DATABASE_URL": "postgresql://app@h/d",
        "MIGRATION_DATABASE_URL": "postgresql://owner@h/d",
        "REDIS_URL": "redis://h",
        "TWILIO_AUTH_TOKEN": "t",
    }
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    settings = load_settings(root=tmp_path)
    assert settings.migration_database_url == given["MIGRATION_DATABASE_URL"]
    variables = service_variables(settings)
    assert "MIGRATION_DATABASE_URL" not in variables
    assert given["MIGRATION_DATABASE_URL"] not in variables.values()
    assert load_settings(variables, tmp_path).database_url == given["DATABASE_URL"]
    assert variables["TWILIO_AUTH_TOKEN"] == "t"
    assert variables["SIMULATOR_URL"] == "http://127.0.0.1:8001"
