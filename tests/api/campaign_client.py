"""Two districts of a city with their callers, and a campaign taken as far as a test needs it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from sms_service import settings
from sms_service.api import create_app
from sms_service.controls.accounts import synchronise_gateways
from sms_service.db.engine import Database
from sms_service.directory.models import Unit
from sms_service.dispatch import freeze
from tests.api.directory_client import Caller
from tests.applications import lend_app
from tests.dispatch.city import ALL_DAY, ScriptedAdapter, ScriptedGateways, drain
from tests.factories import make_person, make_segment, make_template, make_unit

SIGNATURE = "城东街道"


@dataclass
class Place:
    """Districts `one` and `other`; `one` has two branches with 3 and 2 people, one of them without a phone."""

    database: Database
    adapter: ScriptedAdapter
    gateways: ScriptedGateways
    city: Unit
    one: Unit
    other: Unit
    branches: tuple[Unit, Unit]
    officer: Caller
    approver: Caller
    auditor: Caller
    stranger: Caller  # officer and approver of the other district
    version_id: int
    segment_id: int

    def create(self, **kw: Any) -> Any:
        """The officer's new campaign, as the API answers it."""
        fields = {
            "unit_id": self.one.id,
            "name": "每日一学",
            "template_version_id": self.version_id,
            "segment_id": self.segment_id,
            "signature": SIGNATURE,
            "values": {"时间": "九点"},
            **kw,
        }
        answer = self.officer.post("/campaigns", json=fields)
        assert answer.status_code == 201, answer.json
        return answer.json

    def approved(self, **kw: Any) -> int:
        """The id of a campaign that is submitted and approved."""
        campaign_id = self.create(**kw)["id"]
        assert self.officer.post(f"/campaigns/{campaign_id}/submit").status_code == 200
        assert self.approver.post(f"/campaigns/{campaign_id}/approve").status_code == 200
        return int(campaign_id)

    def launched(self, **kw: Any) -> int:
        """The id of a run that was launched now, and is frozen."""
        answer = self.officer.post(f"/campaigns/{self.approved(**kw)}/launch")
        assert answer.status_code == 201, answer.json
        self.begin()
        return int(answer.json["id"])

    def begin(self) -> None:
        """What the clock and a worker do with due runs."""
        for run_id in freeze.begin_due_runs(self.database):
            freeze.freeze_run(self.database, run_id)

    def hand_over(self) -> None:
        """What a worker does with waiting rows."""
        drain(self.database, self.gateways)


def make_place(database: Database, folder: Path, redis_url: str = "") -> Place:
    """The city, written down and committed; without `redis_url` nobody is woken."""
    if redis_url:
        app = create_app(settings.load_settings({"REDIS_URL": redis_url}, folder), database)
    else:
        app = lend_app({}, folder, database)
    client = app.test_client()
    adapter = ScriptedAdapter()
    gateways = ScriptedGateways({"main": adapter})
    with database.session() as session:
        synchronise_gateways(session, gateways)
        city = make_unit(session, **ALL_DAY)
        one, other = (make_unit(session, parent=city, **ALL_DAY) for _ in range(2))
        branches = make_unit(session, parent=one, **ALL_DAY), make_unit(session, parent=one, **ALL_DAY)
        for branch, people in zip(branches, (3, 2), strict=True):
            for number in range(people):
                make_person(session, branch, **({"phone": None} if (people, number) == (2, 0) else {}))
        make_person(session, make_unit(session, parent=other, **ALL_DAY))
        body = "{{ name }}同志：{{ 时间 }}学习。"
        version = make_template(session, city, body=body, variables=("name", "时间"))
        segment = make_segment(session, one, {"everyone": True})
        version_id, segment_id = version.id, segment.id
    with Session(database.engine) as session:  # each caller commits
        units = city, one, other, branches
        callers = [
            Caller(client, session, unit, *roles)
            for unit, roles in (
                (one, ("officer",)),
                (one, ("approver",)),
                (one, ("auditor",)),
                (other, ("officer", "approver")),
            )
        ]
    return Place(database, adapter, gateways, *units, *callers, version_id, segment_id)
