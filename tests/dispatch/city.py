"""A small city with an approved campaign's run, for tests of the ledger: written down directly, without the doors."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from sms_service.campaigns.models import Campaign
from sms_service.controls.accounts import synchronise_gateways
from sms_service.controls.models import GatewayAccount, Route
from sms_service.db.engine import Database
from sms_service.directory.models import Unit
from sms_service.dispatch import freeze
from sms_service.dispatch.dispatcher import Dispatcher
from sms_service.dispatch.pace import Pace, PartsGrant
from sms_service.gateways.base import Capabilities, ErrorClass, Group, Outcome, OutcomeKind, Text
from sms_service.gateways.config import AccountConfig, ConfiguredMember, GatewayConfig
from sms_service.gateways.registry import Gateways
from sms_service.ledger.models import Message, Run
from tests.factories import make_person, make_segment, make_template, make_unit

ALL_DAY = {"window_opens": 0, "window_closes": 1440}


class ScriptedAdapter:
    """An account in this process whose answers the test decides; it keeps every text that it was handed."""

    capabilities = Capabilities(
        largest_group=100, total_timeout_s=1.0, echoes_reference=True, sends_receipts=True, rate=100_000, simulated=True
    )

    def __init__(self, simulated: bool = True) -> None:
        self.handed: list[Any] = []
        self.answer: Any = lambda text: Outcome(text.reference, OutcomeKind.accepted, provider_id=f"p{text.reference}")
        if not simulated:
            self.capabilities = Capabilities(
                largest_group=100, total_timeout_s=1.0, echoes_reference=True, sends_receipts=True, rate=100_000
            )

    @staticmethod
    def small(group: int) -> Capabilities:
        """What an account can do that takes only so many texts at once."""
        return replace(ScriptedAdapter.capabilities, largest_group=group)

    def submit(self, group: Group) -> list[Outcome]:
        """Whatever the test's `answer` says of each text."""
        self.handed += group.texts
        return [outcome for text in group.texts if (outcome := self.answer(text)) is not None]

    def close(self) -> None:
        """Nothing is open."""


class ScriptedGateways(Gateways):
    """The registry with scripted adapters under the given names, in the default route's order or as `route` has it."""

    def __init__(
        self, adapters: Mapping[str, ScriptedAdapter], *, route: Sequence[ConfiguredMember] = (), in_flight: int = 2
    ) -> None:
        accounts = {
            name: AccountConfig(name, "scripted", max_group=100, rate=None, in_flight=in_flight, options=None)
            for name in adapters
        }
        members = tuple(route) or tuple(ConfiguredMember(name, place, 1) for place, name in enumerate(adapters, 1))
        super().__init__(GatewayConfig(accounts, {"default": members}), "http://localhost")
        self._adapters = dict(adapters)  # type: ignore[arg-type]


class FreePace(Pace):
    """Grants everything, and remembers what was asked of it; for tests that are not about pace."""

    def __init__(self) -> None:
        self.acts: list[tuple[str, str, int]] = []

    def take(self, account: str, want: int, least: int = 1) -> PartsGrant:
        """All of it."""
        self.acts.append(("take", account, want))
        return PartsGrant(want, 0.0)

    def settle(self, account: str, unused: int) -> None:
        """Nothing to keep."""
        self.acts.append(("settle", account, unused))

    def throttled(self, account: str) -> None:
        """Nothing to slow down."""
        self.acts.append(("throttled", account, 0))


def make_dispatcher(database: Database, gateways: Gateways, **kw: Any) -> Dispatcher:
    """A dispatcher without limits of pace."""
    return Dispatcher(database, gateways, kw.pop("pace", FreePace()), **{"random": lambda: 0.5, **kw})


def drain(database: Database, gateways: Gateways, **kw: Any) -> None:
    """Hand over all that is due."""
    dispatcher = make_dispatcher(database, gateways, **kw)
    try:
        assert dispatcher.drain(job_s=60) is False
    finally:
        dispatcher.close()


@dataclass
class City:
    """The rows a test works with."""

    unit: Unit
    run_id: int
    month: date
    adapter: ScriptedAdapter
    gateways: Gateways


def make_city(
    database: Database,
    people: int = 3,
    *,
    body: str = "{{ name }}同志，请参加学习。",
    adapter: ScriptedAdapter | None = None,
    class_: str = "notice",
    values: Mapping[str, Any] | None = None,
    more: Iterable[Mapping[str, Any]] = (),
    gateways: Gateways | None = None,
    freeze_now: bool = True,
    **unit: Any,
) -> City:
    """A unit with `people` members (and `more`, by their columns) and a run of a campaign to all of them, frozen."""
    adapter = adapter or ScriptedAdapter()
    gateways = gateways or ScriptedGateways({"main": adapter})
    with database.session() as session:
        synchronise_gateways(session, gateways)
        place = make_unit(session, **{**ALL_DAY, **unit})
        for _ in range(people):
            make_person(session, place)
        for columns in more:
            make_person(session, place, **columns)
        run = make_run(session, place, body=body, class_=class_, values=values)
        run_id = run.id
    if freeze_now:
        freeze.begin_due_runs(database)
        freeze.freeze_run(database, run_id)
    with database.session() as session:
        return City(place, run_id, session.get_one(Run, run_id).month, adapter, gateways)


def make_run(
    session: Session, unit: Unit, *, body: str = "请参加学习。", class_: str = "notice", values: Any = None, **kw: Any
) -> Run:
    """A planned run of a new campaign of `unit` to everyone in it, due now."""
    known = ("name", "unit", "事", "venue.address")
    variables = tuple(name for name in known if f"{{{{ {name} " in body)
    version = make_template(session, unit, body=body, class_=class_, variables=variables)
    segment = make_segment(session, unit, {"everyone": True})
    route_id = session.scalars(select(Route.id).where(Route.name == "default")).one()
    campaign = Campaign(
        unit_id=unit.id,
        name="学习",
        status="active",
        template_version_id=version.id,
        segment_id=segment.id,
        signature="云州先锋",
        route_id=route_id,
    )
    session.add(campaign)
    session.flush()
    now = session.scalars(select(func.sms_now())).one()
    columns = {
        "campaign_id": campaign.id,
        "unit_id": unit.id,
        "unit_path": unit.path,
        "template_version_id": version.id,
        "class_": class_,
        "segment_rule": {"everyone": True},
        "values": dict(values or {}),
        "signature": "云州先锋",
        "route_id": route_id,
        "validity_s": 86_400,
        "due_at": now,
        "day": now.date(),
        "month": now.date().replace(day=1),
        **kw,
    }
    run = Run(**columns)
    session.add(run)
    session.flush()
    return run


def statuses(database: Database, run_id: int) -> dict[str, int]:
    """How many rows of the run have each status."""
    with database.session() as session:
        rows = session.execute(
            select(Message.status, func.count()).where(Message.run_id == run_id).group_by(Message.status)
        )
        return dict(rows.all())


def messages(database: Database, run_id: int) -> list[Message]:
    """The run's rows in the order of their ids."""
    with database.session() as session:
        return list(session.scalars(select(Message).where(Message.run_id == run_id).order_by(Message.id)))


def refused(error: ErrorClass) -> Callable[[Text], Outcome]:
    """An answer: refuse every text with this class."""
    return lambda handed: Outcome(handed.reference, OutcomeKind.refused, error=error)


def unknown(handed: Text) -> Outcome:
    """An answer: nobody can tell."""
    return Outcome(handed.reference, OutcomeKind.unknown)


def run_of(database: Database, run_id: int) -> Run:
    """The run as it stands."""
    with database.session() as session:
        return session.get_one(Run, run_id)


def account(database: Database, name: str = "main") -> GatewayAccount:
    """The gateway account as it stands."""
    with database.session() as session:
        return session.scalars(select(GatewayAccount).where(GatewayAccount.name == name)).one()
