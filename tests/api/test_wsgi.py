"""The web process starts only on a database that fits, and says in one line what is wrong otherwise."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def start(**environ):
    """Loads `wsgi` as gunicorn does, then names the routes it serves."""
    code = "import wsgi; print(*sorted(rule.rule for rule in wsgi.app.url_map.iter_rules()))"
    kept = {name: value for name, value in os.environ.items() if not name.endswith("_URL")}
    kept |= {"SIMULATOR_URL": "http://127.0.0.1:1", "SIMULATOR_SECRET": "for tests only"}  # gateways.toml names them
    command = [sys.executable, "-c", code]
    return subprocess.run(command, cwd=ROOT, env={**kept, **environ}, capture_output=True, text=True, timeout=60)


def test_it_serves_the_api_the_callbacks_and_the_documentation(database_url, redis_url):
    started = start(DATABASE_URL=database_url, REDIS_URL=redis_url)
    assert started.returncode == 0, started.stderr
    assert {"/health", "/docs", "/openapi.json", "/callbacks/<account>", "/api/v1/tokens"} <= set(
        started.stdout.split()
    )


def test_a_database_without_the_schema_stops_the_start_with_the_command_that_mends_it(empty_database_url, redis_url):
    started = start(DATABASE_URL=empty_database_url, REDIS_URL=redis_url)
    assert started.returncode != 0
    assert "python -m sms_service migrate" in started.stderr
    assert "Traceback" not in started.stderr


def test_a_database_that_is_away_stops_the_start_with_one_line(redis_url):
    started = start(DATABASE_URL="postgresql://nobody:hidden@127.0.0.1:1/none", REDIS_URL=redis_url)
    assert started.returncode != 0
    assert started.stderr.startswith("PostgreSQL cannot be used:")
    assert "hidden" not in started.stderr
    assert "Traceback" not in started.stderr


def test_a_wrong_setting_stops_the_start_with_one_line(database_url, redis_url):
    started = start(DATABASE_URL=database_url, REDIS_URL=redis_url, RATE_LIMIT="plenty")
    assert (started.returncode, started.stderr) == (
        1,
        "RATE_LIMIT is 'plenty'; it must be like '600 per minute' (second, minute, hour or day)\n",
    )


def test_variables_of_the_gateways_come_from_env_too(database_url, redis_url, tmp_path):
    file = tmp_path / "of-env"
    file.write_text("SIMULATOR_URL=http://127.0.0.1:1\nSIMULATOR_SECRET=for tests only\n")
    only_there = {"SIMULATOR_URL": "", "SIMULATOR_SECRET": "", "ENV_FILE": str(file)}
    started = start(DATABASE_URL=database_url, REDIS_URL=redis_url, **only_there)
    assert started.returncode == 0, started.stderr
    code = "import worker; s = worker.load_settings(); worker.Gateways.from_file(s.gateways_file, s.public_url)"
    environ = {**os.environ, **only_there}
    worker = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environ, capture_output=True, timeout=60)
    assert worker.returncode == 0, worker.stderr


@pytest.mark.parametrize(
    ("environ", "bind"),
    [
        ({"PORT": "8123"}, "127.0.0.1:8123"),
        ({"PORT": "8123", "HOST": "10.0.0.7"}, "10.0.0.7:8123"),
        ({"HOST": "::1"}, "[::1]:8000"),
        ({}, "127.0.0.1:8000"),
    ],
)
def test_gunicorn_listens_where_the_settings_say(environ, bind):
    code = (
        "from gunicorn.app.wsgiapp import WSGIApplication; import sys; sys.argv = ['gunicorn', 'wsgi:app'];"
        "print(*WSGIApplication().cfg.address)"
    )
    kept = {name: value for name, value in os.environ.items() if name not in ("HOST", "PORT")}
    asked = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env={**kept, **environ}, capture_output=True, text=True, timeout=60
    )
    host, _, port = bind.rpartition(":")
    assert asked.stdout.strip() == str((host.strip("[]"), int(port))), asked.stderr
