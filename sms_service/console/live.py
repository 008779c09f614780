"""The part of a run's page that refreshes itself: its numbers, its sentence, and when to ask again.

Many may look at one run at once: for a second or two they share one look at the database.
"""

from __future__ import annotations

import hashlib
import threading
import time
from dataclasses import dataclass, field
from typing import Any

from flask import Response, g

from sms_service.campaigns.control import get_run
from sms_service.console.crowd import Crowd
from sms_service.console.languages import page_language
from sms_service.console.rendering import render_page
from sms_service.dispatch.waiting import explain_wait
from sms_service.dispatch.waits import UNDER_WAY, Wait
from sms_service.ledger.states import MessageStatus, RunStatus
from sms_service.reports.watching import RunWatch, watch_run
from sms_service.web.context import current_context, current_pace, gateways_or_none

SHARED_S = 1.0  # for so long, or for 20 times what it took, one look serves all who ask
SHORTEST_S, WAITING_S, PLANNED_S = 2.0, 10.0, 60.0  # until the page asks again
TIMES_THE_QUERY = 20  # all who look take no more than a twentieth of a database connection's time
_KEPT = 200  # runs that are looked at within a second


@dataclass
class _Look:
    """One look at a run: the fragment in a language, by what it shows."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    until: float = 0.0
    seen: str = ""
    page: str = ""
    crowd: Crowd = field(default_factory=Crowd)


_looks: dict[tuple[int, int, str], _Look] = {}


def watch_for_page(run_id: int) -> tuple[RunWatch, list[Wait], float]:
    """The run's numbers, why it waits, and in how many seconds the opened page asks again (0: not any more)."""
    watch, waits, took_s = _look_at(run_id)
    crowd, now = _look_of(run_id).crowd, time.monotonic()
    crowd.note(now, first=True)
    return watch, waits, crowd.stretch(_delay_s(watch, waits, took_s), now)


def _look_at(run_id: int) -> tuple[RunWatch, list[Wait], float]:
    """The run's numbers, why it waits, and how many seconds it took to find that out."""
    began = time.monotonic()
    watch = watch_run(g.session, g.actor, run_id)
    gateways = gateways_or_none()
    waits = explain_wait(g.session, g.actor, run_id, gateways, current_pace(gateways), current_context().pace)
    return watch, waits, time.monotonic() - began


def show_live(run_id: int, seen: str) -> Response:
    """The fragment, or 204 where the visitor has `seen` it as it is."""
    get_run(g.session, g.actor, run_id)  # what is shared below was read for somebody else
    look = _look_of(run_id)
    look.crowd.note(time.monotonic(), first=not seen)
    with look.lock:
        if time.monotonic() >= look.until:
            watch, waits, took_s = _look_at(run_id)
            now = time.monotonic()
            live = describe_live(watch, waits, look.crowd.stretch(_delay_s(watch, waits, took_s), now))
            look.seen, look.page = live["seen"], render_page("live.html", live=live)
            look.until = now + max(SHARED_S, TIMES_THE_QUERY * took_s)
        shown, page = look.seen, look.page
    if shown == seen:
        return Response(status=204)
    return Response(page, content_type="text/html; charset=utf-8")


def describe_live(watch: RunWatch, waits: list[Wait], delay_s: float) -> dict[str, Any]:
    """What live.html shows."""
    return {
        "watch": watch,
        "run": watch.run,
        "waits": waits,
        "delay_s": round(delay_s),
        "shares": _shares_of(watch),
        "seen": _digest_of(watch, waits),
        "under_way": any(wait.reason in UNDER_WAY for wait in waits),
    }


def _digest_of(watch: RunWatch, waits: list[Wait]) -> str:
    """A word for what is shown, without the moment at which it was so."""
    shown = (watch.run.status, watch.statuses, watch.per_minute, watch.through_at, [wait.said for wait in waits])
    return hashlib.sha256(repr(shown).encode()).hexdigest()[:16]


def _shares_of(watch: RunWatch) -> list[tuple[str, int, float, float]]:
    """The bar: (status, rows, begin, width) with both lengths in per cent of the audience."""
    total = sum(watch.statuses.values())
    found, begin = [], 0.0
    for status in MessageStatus:
        number = watch.statuses.get(status, 0)
        if number:
            width = 100 * number / total
            found.append((str(status), number, round(begin, 3), round(width, 3)))
            begin += width
    return found


def _look_of(run_id: int) -> _Look:
    key = (id(current_context()), run_id, page_language())
    if key not in _looks and len(_looks) > _KEPT:
        _looks.clear()
    return _looks.setdefault(key, _Look())


def _delay_s(watch: RunWatch, waits: list[Wait], took_s: float) -> float:
    match watch.run.status:
        case RunStatus.planned:
            return PLANNED_S
        case RunStatus.closed | RunStatus.cancelled:
            return 0.0
        case RunStatus.running if not waits or any(wait.reason in UNDER_WAY for wait in waits):
            return max(SHORTEST_S, TIMES_THE_QUERY * took_s)
        case RunStatus.freezing:
            return SHORTEST_S
    return WAITING_S
