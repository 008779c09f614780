"""docs/auditing.md: its lines print what stands below them, its SQL is what a superuser does, its digest is ours."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import psycopg
import pytest
from click.testing import CliRunner

from sms_service.audit import chain, trail
from sms_service.audit.verification import FIRST_DIGEST, LATE_S, FaultKind
from sms_service.cli import main
from sms_service.db.engine import Database

DOCUMENT = (Path(__file__).resolve().parents[2] / "docs" / "auditing.md").read_text(encoding="utf-8")
_HEAD = re.compile(r"\d+:(?:[0-9a-f]{8}-){7}[0-9a-f]{8}")
_DIGEST = re.compile(r"(?<=\d:)[0-9a-f]{8}-[0-9a-f-]+(?: of .* UTC)?")


def test_the_visit_prints_what_it_says(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", database.url)
    monkeypatch.setenv("REDIS_URL", "redis://localhost/0")  # it is not asked
    with database.session() as session:
        for number in range(3):
            trail.record_act(session, None, "stop.begin", "stop", number, "/1/", why="错字")
    chain.link_entries(database)
    ran, noted = 0, ""
    visit = DOCUMENT[DOCUMENT.index("\n## A visit") : DOCUMENT.index("\n| Fault")]
    with psycopg.connect(database.url, autocommit=True) as administrator:
        administrator.execute("SET session_replication_role = replica")
        for language, block in re.findall(r"```(console|sql)\n(.*?)```", visit, re.DOTALL):
            if language == "sql":
                administrator.execute(block)
                continue
            for command, printed in re.findall(r"^\$ (.+)\n((?:(?!\$ ).*\n)*)", block, re.MULTILINE):
                words = shlex.split(_HEAD.sub(noted, command))
                assert words[:3] == ["python", "-m", "sms_service"]
                output = CliRunner().invoke(main, words[3:]).output
                assert _DIGEST.sub("…", output) == _DIGEST.sub("…", printed), command
                if not noted:
                    noted = _HEAD.findall(output)[0]
                    with database.session() as session:
                        trail.record_act(session, None, "stop.release", "stop", 1, "/1/", why="改好了")
                    chain.link_entries(database)
                ran += 1
    assert ran == 4


def test_a_digest_can_be_computed_by_whoever_reads_it(database: Database) -> None:
    with database.session() as session:
        trail.record_act(session, None, "test.act", "thing", 0, "/1/", why="因为“这样”", n=1)
    chain.link_entries(database)
    names: dict = {}
    block = re.search(r"```python\n(.*?)```", DOCUMENT, re.DOTALL)
    assert block is not None
    exec(block[1], names)
    with psycopg.connect(database.url, row_factory=psycopg.rows.dict_row) as connection:
        entry = connection.execute(
            "SELECT id, to_json(at AT TIME ZONE 'UTC') AS at, account_id, act, target_kind, target_id, unit_path,"
            " details::text AS \"details::text\", origin, encode(personal, 'hex') AS personal FROM trail"
        ).fetchone()
        link = connection.execute("SELECT digest, to_json(at AT TIME ZONE 'UTC') AS at FROM trail_links").fetchone()
    assert link is not None
    assert names["digest"](FIRST_DIGEST, link["at"], entry) == link["digest"]


def test_its_faults_are_those_of_the_code() -> None:
    faults = DOCUMENT[DOCUMENT.index("\n| Fault") :]
    assert re.findall(r"^\| `(\w+)` \|", faults, re.MULTILINE) == list(FaultKind)
    assert LATE_S == 5 * 60
