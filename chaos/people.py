"""The people of the city: who launches, pauses and cancels, and the operator who releases what the service stopped."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from benchmarks import city
from sms_service.accounts import services as accounts
from sms_service.accounts.actors import SYSTEM, Actor, load_actor
from sms_service.audience import segments
from sms_service.campaigns import approval, control, launch, services
from sms_service.content import library
from sms_service.db.engine import Database
from sms_service.directory.models import Unit
from sms_service.dispatch import account_state
from sms_service.dispatch.models import GatewayAccount
from sms_service.errors import ServiceError
from sms_service.ledger.models import Run

MEMBERS, BRANCHES = 6_000, 200  # 30 in a branch, about 136 in a street, 1,200 in a district
CLASSES = ("notice", "study", "invitation")  # the last two are capped
ROUTES = ("default", "other")
_TRIES, _PAUSE_S = 10, 1.0
_OPERATOR_LOOKS_S = 0.5
_OPERATOR_WAITS_S = 4.0  # so long something is stopped before the operator releases it


@dataclass(frozen=True, slots=True)
class _Cast:
    officer: Actor
    approver: Actor
    segment_id: int
    versions: dict[str, int]


class People:
    """Acts run in threads of their own: a lock that a stopped worker holds must not hold up the attack.

    `url`: the database as the service's processes know it. A fault of the attack itself is in `failures`.
    """

    def __init__(self, url: str, say: Callable[[str], None]) -> None:
        options = "options=-c%20lock_timeout%3D5s"
        self.database = Database(f"{url}{'&' if '?' in url else '?'}{options}", application_name="chaos")
        self._say = say
        self.failures: list[BaseException] = []
        self._pool = ThreadPoolExecutor(max_workers=6, thread_name_prefix="people")
        self._resume_at: dict[int, float] = {}
        self._ending = threading.Event()
        city.build(self.database, MEMBERS, BRANCHES)
        with self.database.session() as session:
            self._cast = _settle_in(session)
        self._operator = threading.Thread(target=self._operate, name="operator", daemon=True)
        self._operator.start()

    def close(self) -> None:
        """Let everything under way come to its end."""
        self._pool.shutdown()
        self._ending.set()
        self._operator.join()
        self.database.close()

    def launch(self, level: str, pick: float, times: int = 1) -> None:
        """Write a campaign for all of a unit, have it approved, and launch it, `times` at once."""
        self._soon(lambda: self._launch(level, pick, times))

    def pause(self, pick: float, seconds: float) -> None:
        """Pause a run; it is resumed `seconds` later."""

        def act() -> None:
            with self.database.session() as session:
                if (run_id := _under_way(session, pick)) is not None:
                    control.pause(session, SYSTEM, run_id, "chaos")
                    self._resume_at[run_id] = time.monotonic() + seconds

        self._soon(act)

    def cancel(self, pick: float) -> None:
        """Cancel a run."""

        def act() -> None:
            with self.database.session() as session:
                if (run_id := _under_way(session, pick)) is not None:
                    control.cancel(session, SYSTEM, run_id, "chaos")

        self._soon(act)

    def _launch(self, level: str, pick: float, times: int) -> None:
        cast = self._cast
        with self.database.session() as session:
            units = session.scalars(select(Unit.id).where(Unit.level == level).order_by(Unit.id)).all()
            campaign = services.create_campaign(
                session,
                cast.officer,
                unit_id=units[int(pick * len(units))],
                name="学习",
                template_version_id=cast.versions[CLASSES[int(pick * 1000) % len(CLASSES)]],
                segment_id=cast.segment_id,
                signature=city.SIGNATURE,
                route=ROUTES[int(pick * 10_000) % len(ROUTES)],
            )
            services.submit(session, cast.officer, campaign.id)
            approval.decide(session, cast.approver, campaign.id, approve=True)
            campaign_id = campaign.id
        for _ in range(times):
            self._soon(lambda: self._fire(campaign_id))

    def _fire(self, campaign_id: int) -> None:
        with self.database.session() as session:
            launch.launch(session, self._cast.officer, campaign_id)

    def _soon(self, act: Callable[[], Any]) -> None:
        self._pool.submit(self._persistently, act)

    def _persistently(self, act: Callable[[], Any]) -> None:
        """As a person does: again after a moment if the service cannot now; what it forbids is left."""
        for _ in range(_TRIES):
            try:
                act()
            except ServiceError as error:
                self._say(f"  refused to a person: {error}")
            except DBAPIError:
                time.sleep(_PAUSE_S)
                continue
            except Exception as error:  # noqa: BLE001 - told at the end by whoever waits for us
                self.failures.append(error)
            return
        self._say(f"  a person gave up after {_TRIES} tries")

    def _operate(self) -> None:
        since: dict[tuple[str, int], float] = {}
        while not self._ending.wait(_OPERATOR_LOOKS_S):
            try:
                stopped = self._stopped()
                now = time.monotonic()
                since = {thing: since.get(thing, now) for thing in stopped}
                for (what, number), first_seen in since.items():
                    due = self._resume_at.get(number, 0.0) if what == "run" else 0.0
                    if now >= max(due, first_seen + (0.0 if due else _OPERATOR_WAITS_S)):
                        self._release(what, number)
            except (DBAPIError, ServiceError):
                continue  # the next look tries again

    def _stopped(self) -> list[tuple[str, int]]:
        with self.database.session() as session:
            runs = session.scalars(select(Run.id).where(Run.status.in_(("paused", "held"))))
            paused = session.scalars(select(GatewayAccount.id).where(GatewayAccount.state == "paused"))
            return [*(("run", number) for number in runs), *(("account", number) for number in paused)]

    def _release(self, what: str, number: int) -> None:
        with self.database.session() as session:
            if what == "run":
                run = session.get_one(Run, number)
                self._say(f"  the operator releases run {number}, {run.status}: {run.reason}")
                control.resume(session, SYSTEM, number, "the operator looked at it")
                self._resume_at.pop(number, None)
                return
            account = session.get_one(GatewayAccount, number)
            self._say(f"  the operator reopens {account.name}: {account.reason}")
            account_state.reopen(session, SYSTEM, account.name, "the operator looked at it")


def _settle_in(session: Session) -> _Cast:
    """Two accounts of the city, so that who approves is not who wrote; a template per class; everyone."""
    people = []
    for role in ("officer", "approver"):
        account = accounts.create_account(session, SYSTEM, unit_id=1, login=role, name=role)
        accounts.grant_role(session, SYSTEM, account.id, role=role, unit_id=1)
        people.append(load_actor(session, account.id))
    versions = {
        name: library.create_template(session, SYSTEM, 1, f"模板 {name}", name, city.BODY)[1].id for name in CLASSES
    }
    segment = segments.create_segment(session, people[0], 1, "全体成员", {"everyone": True})
    return _Cast(people[0], people[1], segment.id, versions)


def _under_way(session: Session, pick: float) -> int | None:
    runs = session.scalars(select(Run.id).where(Run.status == "running").order_by(Run.id)).all()
    return runs[int(pick * len(runs))] if runs else None
