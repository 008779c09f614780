"""What each kind of event does, and what undoes it."""

from __future__ import annotations

import heapq
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from itertools import count
from typing import Any

import redis
from psycopg import sql
from rq import Queue

from chaos.house import House, until
from chaos.people import People
from chaos.plan import GATEWAYS, RECEIVER, Event
from sms_service import wake
from sms_service.ops.errors import OperationError

_TICK_S = 0.1
_PATIENCE_S = 120.0  # how long to wait for an event that cannot be done yet, such as an answer to a text not yet there
_WAKE_UPS = 50
_TERMINATE = sql.SQL(
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
)
# The processes that may lead: the clocks and the link.
_TERMINATE_LEADERS = _TERMINATE + sql.SQL(
    " AND (application_name ^@ 'sms_service clock' OR application_name ^@ 'sms_service link')"
)

# What a gateway, or the receiver of webhooks, does for a while, by the kind of event.
_BEHAVIOURS: Mapping[str, Mapping[str, Any]] = {
    "gateway_hangs": {"hang_share": 0.1},
    "gateway_fails_after_accepting": {"error_share": 0.3},
    "gateway_resets": {"reset_share": 0.3},
    "gateway_loses": {"lose_share": 0.3},
    "gateway_garbles": {"garble_share": 0.3},
    "gateway_throttles": {"throttle_share": 0.5},
    "gateway_crawls": {"answer_delay_s": [0.5, 4.0]},
    "gateway_unavailable": {"refuse_share": 1.0, "refuse_code": "unavailable"},
    "gateway_without_balance": {"refuse_share": 1.0, "refuse_code": "no_balance"},
    "receipts_before_answers": {"receipt_delay_s": [0.0, 0.01], "answer_delay_s": [0.2, 1.0]},
    "receipts_twice": {"duplicate_share": 1.0},
    "receipts_reversed": {"interim": True, "reversed": True},
    **{f"receiver_{manner}": {"manner": manner} for manner in ("refuses", "hangs", "closes")},
}


class Faults:
    """Carries out a plan on a house and its people. `injected` counts by kind what was done. People count their own
    acts when these have happened.
    """

    def __init__(self, house: House, people: People, say: Callable[[str], None]) -> None:
        self._house, self._people, self._say = house, people, say
        self.injected: Counter[str] = Counter()
        self._later: list[tuple[float, int, Callable[[], object]]] = []
        self._numbers = count()

    def carry_out(self, events: Iterable[Event]) -> None:
        """Do every event at its time; `end` undoes events that last longer than the plan."""
        started = time.monotonic()
        for event in events:
            self._pass_time(until=started + event.at_s)
            done = self._ask_people(event)
            if not done:
                done = self._do(event)
                self.injected[event.kind] += done
            lasting = f" for {event.lasts_s:g} s" if event.lasts_s else ""
            self._say(f"{event.at_s:8.1f} s {event.kind} {event.target}{lasting}{'' if done else ': not now'}")

    def carry_out_in_order(self, events: Iterable[Event]) -> None:
        """Do every event as soon as it can be, once the one before is done. Raises OperationError if one cannot."""
        for event in events:
            if not until(lambda event=event: self._came_about(event), _PATIENCE_S):  # type: ignore[misc]
                raise OperationError(f"{event.kind} could not be done within {_PATIENCE_S:g} s")
            self._say(f"{event.kind} {event.target}")

    def _came_about(self, event: Event) -> bool:
        self._pass_time(until=time.monotonic())
        before = self._people.done[event.kind]
        if self._ask_people(event):
            self._people.rest()
            return self._people.done[event.kind] > before
        done = self._do(event)
        self.injected[event.kind] += done
        return done

    def end(self) -> None:
        """Undo at once whatever still lasts."""
        while self._later:
            heapq.heappop(self._later)[2]()
            time.sleep(_TICK_S)  # a worker that was told to end may need longer before it can be started again

    def _pass_time(self, until: float) -> None:
        while (now := time.monotonic()) < until or (self._later and self._later[0][0] <= now):
            while self._later and self._later[0][0] <= time.monotonic():
                heapq.heappop(self._later)[2]()
            self._house.mend()
            time.sleep(max(0.0, min(_TICK_S, until - time.monotonic())))

    def _after(self, seconds: float, act: Callable[[], object]) -> bool:
        heapq.heappush(self._later, (time.monotonic() + seconds, next(self._numbers), act))
        return True

    def _do(self, event: Event) -> bool:
        """Whether it could be done: what is down cannot be killed."""
        house, worker = self._house, f"worker-{event.target}"
        match event.kind:
            case "worker_killed":
                return self._take_down(worker, signal.SIGKILL, event.lasts_s)
            case "worker_terminated":
                return self._take_down(worker, signal.SIGTERM, event.lasts_s)
            case "worker_stopped_briefly" | "worker_stopped_long":
                return house.send(worker, signal.SIGSTOP) and self._after(
                    event.lasts_s, lambda: house.send(worker, signal.SIGCONT)
                )
            case "clock_stopped" | "link_stopped":
                name = f"clock-{event.target}" if event.kind == "clock_stopped" else "link"
                return house.send(name, signal.SIGSTOP) and self._after(
                    event.lasts_s, lambda: house.send(name, signal.SIGCONT)
                )
            case "clock_killed":
                return self._take_down(f"clock-{event.target}", signal.SIGKILL, event.lasts_s)
            case "web_killed" | "link_killed" | "webhooks_killed" | "receiver_killed":
                return self._take_down(event.kind.removesuffix("_killed"), signal.SIGKILL, event.lasts_s)
            case "line_cut":
                return house.cut_line()
            case "simulator_killed":
                return self._take_down(GATEWAYS[event.target], signal.SIGKILL, event.lasts_s)
            case "redis_restarted" | "redis_down":
                return house.kill_redis() and self._after(event.lasts_s, house.start_redis)
            case "redis_flushed" | "wake_ups_lost" | "wake_ups_doubled":
                return house.redis_is_up and self._in_redis(event.kind)
            case "postgres_restarted":
                house.restart_postgres()
            case "postgres_promoted":
                house.promote_postgres()
            case "sessions_terminated":
                house.administer(_TERMINATE)
            case "leaders_sessions_terminated":
                house.administer(_TERMINATE_LEADERS)
            case kind:
                whose = RECEIVER if kind.startswith(RECEIVER) else GATEWAYS[event.target]
                house.behave(whose, **_BEHAVIOURS[kind])
                return self._after(event.lasts_s, lambda: house.behave(whose))
        return True

    def _ask_people(self, event: Event) -> bool:
        """Whether the event is an act of people, who then do it in their own time."""
        match event.kind:
            case "run_paused":
                self._people.pause(event.pick, event.lasts_s)
            case "run_cancelled":
                self._people.cancel(event.pick)
            case "unit_stopped":
                self._people.stop_unit(event.pick, event.lasts_s)
            case "gateway_stopped":
                self._people.stop_gateway(GATEWAYS[event.target], event.lasts_s)
            case "opted_out" | "phone_replied":
                self._people.reply(event.kind, event.pick)
            case "unknown_settled":
                self._people.settle_unknown(event.pick)
            case "unknown_sent_again":
                self._people.send_unknown_again(event.pick)
            case "launched_twice":
                self._people.launch("launched_twice", "street", event.pick, times=2)
            case kind if kind.startswith("launch_"):
                self._people.launch(kind, kind.removeprefix("launch_"), event.pick)
            case _:
                return False
        return True

    def _take_down(self, name: str, number: signal.Signals, seconds: float) -> bool:
        return self._house.take_down(name, number) and self._after(seconds, lambda: self._bring_up(name))

    def _bring_up(self, name: str) -> None:
        if not self._house.bring_up(name):
            self._house.send(name, signal.SIGCONT)  # a stopped process does not react to TERM
            self._after(1.0, lambda: self._bring_up(name))

    def _in_redis(self, kind: str) -> bool:
        with redis.Redis.from_url(self._house.redis.url) as client:
            queue = Queue(wake.QUEUE, connection=client)
            if kind == "redis_flushed":
                client.flushall()
            elif kind == "wake_ups_lost":
                queue.empty()
            else:
                for _ in range(_WAKE_UPS):
                    for job in ("sms_service.jobs.dispatch", wake.APPLY_RECEIPTS):
                        queue.enqueue_call(job, timeout=-1, result_ttl=0, failure_ttl=0)
        return True
