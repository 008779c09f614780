"""The demonstration at 23:00: with the window of its own data all leaves, with the default window nothing does."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest
from sqlalchemy import select, text, update

from sms_service import clock
from sms_service.accounts.actors import SYSTEM
from sms_service.controls.accounts import synchronise_gateways
from sms_service.db.engine import Database
from sms_service.directory.units import change_unit
from sms_service.dispatch import freeze
from sms_service.ledger.models import Attempt, Message, Run
from sms_service.ops import demonstration
from tests.api.campaign_client import make_place
from tests.clocks import ahead_by
from tests.dispatch.city import ScriptedAdapter, ScriptedGateways, drain


@contextmanager
def local_time(database_url: str, local: str, days: int = 0) -> Iterator[Database]:
    """The database as it is when a clock in Shanghai shows `local`, today or so many days later."""
    with psycopg.connect(database_url) as connection:
        offset = connection.execute(
            "SELECT (((now() AT TIME ZONE 'Asia/Shanghai')::date + %s + %s::time) AT TIME ZONE 'Asia/Shanghai'"
            " - now())::text",
            (days, local),
        ).fetchone()
    assert offset is not None
    with ahead_by(database_url, offset[0]) as then:
        yield then


def send(database: Database, gateways: ScriptedGateways, runs: list[int]) -> dict[str, int]:
    """What the processes do for a while; the messages of the runs by status."""
    clock.tick(database, None, gateways)
    for run_id in runs:
        freeze.freeze_run(database, run_id)
    drain(database, gateways)
    with database.transaction() as connection:
        rows = connection.execute(text("SELECT status, count(*) FROM messages GROUP BY 1"))
        return {row[0]: row[1] for row in rows}


@pytest.mark.parametrize("default_window", [False, True])
def test_the_demonstration_at_eleven_in_the_evening(
    database: Database, database_url: str, default_window: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demonstration, "AHEAD_S", 0)
    adapter = ScriptedAdapter()
    gateways = ScriptedGateways({"simulator": adapter})
    running: Any = SimpleNamespace(say=lambda *_: None)
    with local_time(database_url, "23:00") as evening:
        with evening.session() as session:
            synchronise_gateways(session, gateways)
            city = demonstration._load_city(session, running)
            if default_window:
                change_unit(session, SYSTEM, city, window_opens="08:00", window_closes="20:00")
            cast = demonstration._cast(session, city)
            runs = [demonstration._study(session, cast, city), demonstration._theme_day(session, cast)]
        found = send(evening, gateways, runs)
        assert adapter.handed == [] if default_window else len(adapter.handed) > 10_000
        assert (found.get("pending", 0) > 10_000) is default_window
    if default_window:
        with local_time(database_url, "07:59:30", days=1) as early:
            send(early, gateways, runs)
            assert adapter.handed == []
        with local_time(database_url, "08:00", days=1) as morning:
            found = send(morning, gateways, runs)
    assert found.keys() == {"accepted", "skipped"}
    assert len({(handed.phone, handed.body) for handed in adapter.handed}) == len(adapter.handed) == found["accepted"]
    with database.session() as session:
        assert set(session.scalars(select(Run.status))) <= {"running", "finished"}


def test_a_run_that_is_still_sending_is_not_compared(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place, said = make_place(database, tmp_path), list[str]()
    run_id = place.launched()
    place.hand_over()
    monkeypatch.setattr(demonstration, "simulators_ledger", lambda _: [])
    running: Any = SimpleNamespace(say=said.append, variables={})
    with database.session() as session:
        assert demonstration._result(session, running, [run_id], 60.0)["identity"] is True
        assert said == [f"run {run_id} is still sending after 60 s; its texts are compared when it is over"]
        for table in (Message, Attempt):
            session.execute(update(table).where(table.status == "accepted").values(status="no_receipt"))
        assert demonstration._result(session, running, [run_id], 60.0)["identity"] is False
    assert said[1:] == ["the ledgers disagree: 4 texts lost"]
