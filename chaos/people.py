"""The people of the city: they launch, pause and cancel, and an operator releases what the service stopped."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from typing import Any, TypeVar

from sqlalchemy import TextClause, select, text, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from benchmarks import city
from sms_service.accounts import services as accounts
from sms_service.accounts.actors import SYSTEM, Actor, load_actor
from sms_service.audience import segments
from sms_service.campaigns import approval, control, launch, resending, services
from sms_service.content import library
from sms_service.controls import account_state, stops
from sms_service.controls.models import AccountState, Cap, GatewayAccount, Stop
from sms_service.db.engine import Database
from sms_service.directory.models import Unit
from sms_service.errors import ServiceError
from sms_service.ledger.models import Message, Run

_STOP_WORDS = ("退订", "R", "拒收。", "ＴＤ", "t")
_ANSWERS = ("参加", "请假", "2人", "1", "0", "几点开始", "恢复")
_ANSWER_AT_ONCE = 8  # people
_SIGNS = "。！～…"  # say nothing, and make each reply another one
_ASKS = {"kind": "rsvp", "hours": 72}
_REACHED = text("""
SELECT m.phone || ' ' || g.name
FROM messages m
JOIN runs r ON r.month = m.month AND r.id = m.run_id
JOIN attempts a ON a.month = m.month AND a.message_id = m.id AND a.number = m.attempts
JOIN gateway_accounts g ON g.id = a.account_id
WHERE r.status = 'running' AND m.status IN ('accepted', 'delivered')
ORDER BY m.id
""")
_UNKNOWN = text("SELECT id FROM messages WHERE status = 'unknown' ORDER BY id")
MEMBERS, BRANCHES = 6_000, 200  # 30 in a branch, about 136 in a street, 1,200 in a district
CLASSES = ("notice", "study", "invitation")  # the last two are capped
_CAP = 12  # a day; so high that most texts of a long attack leave
ROUTES = ("default", "other", "line")
# Every campaign has its own words, so that phone and words identify a text where nothing sends back our name.
_BODY = "第{{ 期 }}期。" + city.BODY
_TRIES, _PAUSE_S = 10, 1.0
_OPERATOR_LOOKS_S = 0.5
_OPERATOR_WAITS_S = 4.0  # how long something is stopped before the operator releases it
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Cast:
    officer: Actor
    approver: Actor
    segment_id: int
    versions: dict[str, int]


class People:
    """Acts run in threads of their own, so that a lock held by a stopped worker does not delay the attack.

    `url`: the database as the service's processes know it. `reply(phone, gateway, words)` lets a phone answer
    what this gateway brought it, if it can.
    `done` counts the acts that happened, by kind.
    """

    def __init__(self, url: str, reply: Callable[[str, str, str], bool], say: Callable[[str], None]) -> None:
        options = "options=-c%20lock_timeout%3D5s"
        self.database = Database(f"{url}{'&' if '?' in url else '?'}{options}", application_name="chaos")
        self._reply, self._say = reply, say
        self._numbers = count(1)
        self._pool = ThreadPoolExecutor(max_workers=6, thread_name_prefix="people")
        self._acts: list[Future[None]] = []
        self.done: Counter[str] = Counter()
        self._counting = threading.Lock()
        self._until: dict[tuple[str, int], float] = {}  # when something that a person stopped has to go on
        self._ending = threading.Event()
        city.build(self.database, MEMBERS, BRANCHES)
        with self.database.session() as session:
            self._cast = _settle_in(session)
        self._operator = threading.Thread(target=self._operate, name="operator", daemon=True)
        self._operator.start()

    def rest(self) -> None:
        """Return when every act has ended; the operator goes on. Raises errors that are faults of the attack itself."""
        while self._acts:
            self._acts.pop().result()

    def close(self) -> None:
        """Let the operator go too."""
        self._ending.set()
        self._pool.shutdown()
        self._operator.join()
        self.database.close()

    def launch(self, kind: str, level: str, pick: float, times: int = 1) -> None:
        """Write a campaign for all of a unit, have it approved, and launch it, `times` at once."""

        def fire(campaign_id: int) -> None:
            for _ in range(times):
                self._soon(
                    lambda session: launch.launch_campaign(session, self._cast.officer, campaign_id),
                    lambda launched: self._count(kind, launched[1]),
                )

        self._soon(lambda session: self._write_and_approve(session, level, pick), fire)

    def pause(self, pick: float, seconds: float) -> None:
        """Pause a run; it is resumed `seconds` later."""

        def act(session: Session) -> bool:
            if (run_id := _under_way(session, pick)) is None:
                return False
            control.pause_run(session, SYSTEM, run_id, "chaos")
            self._until["run", run_id] = time.monotonic() + seconds
            return True

        self._soon(act, lambda done: self._count("run_paused", done))

    def cancel(self, pick: float) -> None:
        """Cancel a run."""

        def act(session: Session) -> bool:
            if (run_id := _under_way(session, pick)) is None:
                return False
            control.cancel_run(session, SYSTEM, run_id, "chaos")
            return True

        self._soon(act, lambda done: self._count("run_cancelled", done))

    def stop_unit(self, pick: float, seconds: float) -> None:
        """Stop everything in a district, or in the whole city; it is released `seconds` later."""

        def act(session: Session) -> bool:
            units = session.scalars(select(Unit.id).where(Unit.level.in_(("city", "district"))).order_by(Unit.id)).all()
            stop_id, made = stops.stop_unit(session, SYSTEM, units[int(pick * len(units))], "chaos")
            self._until["stop", stop_id] = time.monotonic() + seconds
            return made

        self._soon(act, lambda done: self._count("unit_stopped", done))

    def stop_gateway(self, name: str, seconds: float) -> None:
        """The same for everything through one gateway account."""

        def act(session: Session) -> bool:
            stop_id, made = stops.stop_gateway_account(session, SYSTEM, name, "chaos")
            self._until["stop", stop_id] = time.monotonic() + seconds
            return made

        self._soon(act, lambda done: self._count("gateway_stopped", done))

    def reply(self, kind: str, pick: float) -> None:
        """People who got a text of a run under way answer: one a stop (`opted_out`), or several whether they come, that
        texts may come again, or something that nobody understands.
        """
        words, people = (_STOP_WORDS, 1) if kind == "opted_out" else (_ANSWERS, _ANSWER_AT_ONCE)

        def act(session: Session) -> bool:
            done = False
            for place in range(people):
                reached, number = _pick(session, _REACHED, (pick + place / people) % 1), next(self._numbers)
                said = words[number % len(words)] + _sign(number)
                if reached is not None:
                    phone, gateway = reached.split()
                    done |= self._reply(phone, gateway, said)
            return done

        self._soon(act, lambda done: self._count(kind, done))

    def settle_unknown(self, pick: float) -> None:
        """A person settles an unknown text, rightly or wrongly; the network may know better."""

        def act(session: Session) -> bool:
            if (message_id := _pick(session, _UNKNOWN, pick)) is None:
                return False
            said = "accepted" if int(pick * 1000) % 2 else "refused"
            resending.settle_attempt(session, self._cast.officer, message_id, said, "chaos")  # type: ignore[arg-type]
            return True

        self._soon(act, lambda done: self._count("unknown_settled", done))

    def send_unknown_again(self, pick: float) -> None:
        """A person lets an unknown text go again: the only way in which anybody may get it twice."""

        def act(session: Session) -> bool:
            if (message_id := _pick(session, _UNKNOWN, pick)) is None:
                return False
            run_id = session.scalars(select(Message.run_id).where(Message.id == message_id)).one()
            return bool(resending.send_run_again(session, self._cast.officer, run_id, "chaos", [message_id])[1].ids)

        self._soon(act, lambda done: self._count("unknown_sent_again", done))

    def _write_and_approve(self, session: Session, level: str, pick: float) -> int:
        cast = self._cast
        units = session.scalars(select(Unit.id).where(Unit.level == level).order_by(Unit.id)).all()
        campaign = services.create_campaign(
            session,
            cast.officer,
            unit_id=units[int(pick * len(units))],
            name="学习",
            template_version_id=cast.versions[CLASSES[int(pick * 1000) % len(CLASSES)]],
            segment_id=cast.segment_id,
            signature=city.SIGNATURE,
            values={"期": str(next(self._numbers))},
            route=ROUTES[int(pick * 10_000) % len(ROUTES)],
            asks=_ASKS,
        )
        services.submit_campaign(session, cast.officer, campaign.id)
        approval.decide_approval(session, cast.approver, campaign.id, approve=True)
        return campaign.id

    def _count(self, kind: str, done: bool) -> None:
        with self._counting:
            self.done[kind] += done

    def _soon(self, act: Callable[[Session], T], then: Callable[[T], object]) -> None:
        self._acts.append(self._pool.submit(self._persistently, act, then))

    def _persistently(self, act: Callable[[Session], T], then: Callable[[T], object]) -> None:
        """Act as a person does: try again after a moment if the service cannot now; give up what it forbids."""
        for _ in range(_TRIES):
            try:
                with self.database.session() as session:
                    done = act(session)
            except ServiceError as error:
                self._say(f"  refused to a person: {error}")
                return
            except DBAPIError:
                time.sleep(_PAUSE_S)
            else:
                then(done)
                return
        self._say(f"  a person gave up after {_TRIES} tries")

    def _operate(self) -> None:
        since: dict[tuple[str, int], float] = {}
        while not self._ending.wait(_OPERATOR_LOOKS_S):
            with suppress(DBAPIError, ServiceError):  # the next look tries again
                now = time.monotonic()
                since = {thing: since.get(thing, now) for thing in self._stopped()}
                for thing, first_seen in since.items():
                    if now >= self._until.get(thing, first_seen + _OPERATOR_WAITS_S):
                        self._release(*thing)

    def _stopped(self) -> list[tuple[str, int]]:
        with self.database.session() as session:
            found = {
                "run": select(Run.id).where(Run.status.in_(("paused", "held"))),
                "account": select(GatewayAccount.id).where(GatewayAccount.state == AccountState.paused),
                "stop": select(Stop.id).where(Stop.released_at.is_(None)),
            }
            return [(what, number) for what, query in found.items() for number in session.scalars(query)]

    def _release(self, what: str, number: int) -> None:
        why = "the operator looked at it"
        with self.database.session() as session:
            if what == "run":
                run = session.get_one(Run, number)
                told = f"run {number}, {run.status}: {run.reason}"
                control.resume_run(session, SYSTEM, number, why, "nothing_lost" if run.held_for == "cluster" else None)
            elif what == "stop":
                told = f"stop {number}"
                stops.release_stop(session, SYSTEM, number, why)
            else:
                account = session.get_one(GatewayAccount, number)
                told = f"{account.name}: {account.reason}"
                account_state.reopen_gateway_account(session, SYSTEM, account.name, why)
        self._until.pop((what, number), None)
        self._say(f"  the operator releases {told}")


def _settle_in(session: Session) -> _Cast:
    """Make two accounts of the city, so that one writes and another approves; a template per class; a segment of
    all.
    """
    people = []
    for role in ("officer", "approver"):
        account = accounts.create_account(session, SYSTEM, unit_id=1, login=role, name=role)
        accounts.grant_role(session, SYSTEM, account.id, role=role, unit_id=1)
        people.append(load_actor(session, account.id))
    versions = {
        name: library.create_template(session, SYSTEM, 1, f"模板 {name}", name, _BODY)[1].id for name in CLASSES
    }
    session.execute(update(Cap).values(per_day=_CAP))
    segment = segments.create_segment(session, people[0], 1, "全体成员", {"everyone": True})
    return _Cast(people[0], people[1], segment.id, versions)


def _under_way(session: Session, pick: float) -> int | None:
    runs = session.scalars(select(Run.id).where(Run.status == "running").order_by(Run.id)).all()
    return runs[int(pick * len(runs))] if runs else None


def _pick(session: Session, query: TextClause, pick: float) -> Any:
    """One of the values that the query finds; None if there is none."""
    found = session.scalars(query).all()
    return found[int(pick * len(found))] if found else None


def _sign(number: int) -> str:
    """The number in signs."""
    return ("" if number < len(_SIGNS) else _sign(number // len(_SIGNS))) + _SIGNS[number % len(_SIGNS)]
