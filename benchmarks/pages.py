"""The console on a city of 100,000: how large its pages are on the wire and how long they take, by gunicorn; and what
200 people who watch one run cost its sending.
"""

from __future__ import annotations

import gzip
import html
import http.client
import json
import re
import secrets
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlencode

from benchmarks import city
from benchmarks.figures import Benchmark, Measured
from benchmarks.laboratory import ROOT, BenchmarkError, Laboratory
from benchmarks.sending import WORKERS, launch, plan, seconds_of, wait_until_sent
from benchmarks.services import clock, null_gateway, web
from sms_service.accounts import services, sessions
from sms_service.accounts.actors import SYSTEM
from sms_service.audience.models import Segment
from sms_service.campaigns.services import create_campaign
from sms_service.db.engine import Database
from sms_service.dispatch import freeze

REQUESTS = 40
DEEP = 1_000  # pages
VIEWERS = 200
PAIRS = 5  # of a run without viewers and one with them
_FRAGMENT_WAIT_S = 1.1  # a look at a run is shared for a second; each request here is to take one of its own
CLOSED, UNDER_WAY = 1, 2
ACCOUNT = "null"  # the gateway account of all texts
# Every fifth text of the closed run was never reported on, every hundredth is unknown, the others have arrived: it has
# several lines.
_CLOSE = """
UPDATE messages SET status = CASE WHEN id %% 50 = 0 THEN 'undelivered' WHEN id %% 5 = 0 THEN 'expired'
                                  WHEN id %% 100 = 1 THEN 'unknown' ELSE 'delivered' END
WHERE run_id = 1;
UPDATE attempts SET status = 'unknown', looked_up_at = now() WHERE run_id = 1 AND message_id %% 100 = 1;
UPDATE runs SET status = 'closed', closed_at = now() WHERE id = 1;
UPDATE segments SET name = '当时的全体成员';
UPDATE templates SET name = '当时的学习内容'
"""
_WATCHER = Path(__file__).with_name("watching.py")


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: its text, its bytes on the wire with the headers, and how long it took."""

    text: str
    bytes: int
    ms: float
    status: int


class Browser:
    """One connection that stays open, as a browser's does, with a session's cookie or a program's token."""

    def __init__(self, port: int, secret: str | None = None, token: str | None = None) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self._headers = {"Accept-Encoding": "gzip", "Accept-Language": "zh-CN", "Sec-Fetch-Site": "same-origin"}
        if secret is not None:
            self._headers["Cookie"] = f"sms={secret}"
        if token is not None:
            self._headers["Authorization"] = f"Bearer {token}"

    def ask(self, path: str, form: dict[str, str] | None = None, *, ok: tuple[int, ...] = (200,)) -> Answer:
        """GET, or POST of the form. Raises BenchmarkError for another status."""
        body = urlencode(form) if form is not None else None
        headers = {**self._headers, **({"Content-Type": "application/x-www-form-urlencoded"} if body else {})}
        began = time.perf_counter()
        self._connection.request("POST" if body else "GET", path, body, headers)
        response = self._connection.getresponse()
        content = response.read()
        took_ms = (time.perf_counter() - began) * 1000
        if response.status not in ok:
            raise BenchmarkError(f"{path} answered {response.status}: {content[:300]!r}")
        size = len(content) + sum(len(name) + len(value) + 4 for name, value in response.getheaders())
        page = gzip.decompress(content) if response.getheader("Content-Encoding") == "gzip" else content
        text = page.decode(errors="replace")
        return Answer(text, size, took_ms, response.status)


def _p95(values: list[float]) -> float:
    return statistics.quantiles(values, n=20, method="inclusive")[-1]


def measure_first_visit(browser: Browser) -> float:
    """kB of the log-in page and everything that it loads."""
    page = browser.ask("/log-in")
    assets = set(re.findall(r'(?:href|src)="(/assets/[^"]+)"', page.text))
    return (page.bytes + sum(browser.ask(path).bytes for path in assets)) / 1000


def _pages(laboratory: Laboratory) -> Measured:
    with laboratory.city() as database:
        gateways = null_gateway(laboratory)
        plan(database, gateways)
        variables = laboratory.variables(database, gateways, RATE_LIMIT="1000000 per minute")
        with laboratory.workers(WORKERS, variables), clock(laboratory, variables):
            wait_until_sent(database, launch(laboratory, database), city.PEOPLE)
        secret, draft = _prepare(database)
        with web(laboratory, variables) as port:
            return dict(_ask_for_pages(Browser(port), Browser(port, secret), draft))


def _prepare(database: Database) -> tuple[str, int]:
    """Close the run, begin another that nobody sends; a session's secret and the id of a draft to the whole city."""
    with database.transaction() as connection:
        for statement in _CLOSE.split(";\n"):
            connection.exec_driver_sql(statement, {})
    with database.session() as session:
        city.plan_run(session)
    freeze.freeze_run(database, city.launch(database))
    with database.at_once() as connection:
        connection.exec_driver_sql("SET ROLE NONE")  # the tables' owner, as autovacuum is
        connection.exec_driver_sql("VACUUM ANALYZE")
    with database.session() as session:
        segment = Segment(unit_id=1, name="全体", rule={"everyone": True})
        session.add(segment)
        session.flush()
        draft = create_campaign(
            session, SYSTEM, unit_id=1, name="核对", template_version_id=1, segment_id=segment.id,
            signature=city.SIGNATURE,
        )  # fmt: skip
        return _begin_session(database), draft.id


def _begin_session(database: Database) -> str:
    """The cookie's secret of an administrator of the whole city."""
    with database.session() as session:
        account = services.create_account(session, SYSTEM, unit_id=1, login="reader", name="Reader")
        services.grant_role(session, SYSTEM, account.id, role="administrator", unit_id=1)
        return sessions.begin_session(
            session, account.id, user_agent="benchmarks", now=datetime.now(UTC), random_bytes=secrets.token_bytes
        )


def _ask_for_pages(stranger: Browser, reader: Browser, draft: int) -> Iterator[tuple[str, float | list[float]]]:
    yield "console_first_visit_kb", measure_first_visit(stranger)
    paths = {
        "home": "/",
        "campaigns": "/campaigns",
        "people": "/people",
        "units": "/units",
        "rows": f"/rows?run={CLOSED}",
        "trail": "/trail",
        "gateways": "/gateways",
        "gateway": f"/gateways/{ACCOUNT}",
        "unknowns": "/unknowns",
        "unknown_rows": f"/rows?status=unknown&account={ACCOUNT}",
        "run": f"/runs/{UNDER_WAY}",
        "check": f"/campaigns/{draft}/check",
        "counts_by_unit": f"/counts?run={CLOSED}&by=unit",
    }
    for name, path in (("people", "/people"), ("rows", f"/rows?run={CLOSED}")):
        paths[f"{name}_page_1000"] = _turn(reader, path)
    largest = 0
    for name, path in paths.items():
        answers = [reader.ask(path) for _ in range(REQUESTS + 4)][4:]  # the first ones compile and plan
        largest = max(largest, *(answer.bytes for answer in answers))
        print(f"{name}: {answers[0].bytes / 1000:.1f} kB", file=sys.stderr)
        yield f"console_{name}_p95_ms", _p95([answer.ms for answer in answers])
    page = reader.ask("/people").text
    token = re.search(r'name="_csrf" value="([^"]+)"', page)
    assert token is not None
    found = [reader.ask("/people", {"_csrf": html.unescape(token[1]), "wanted": "一中"}) for _ in range(REQUESTS)]
    yield "console_people_search_p95_ms", _p95([answer.ms for answer in found])
    yield "console_page_kb", max(largest, *(answer.bytes for answer in found)) / 1000
    parts = []
    for _ in range(REQUESTS // 2):
        time.sleep(_FRAGMENT_WAIT_S)
        parts.append(reader.ask(f"/runs/{UNDER_WAY}/live?seen="))
    yield "console_fragment_p95_ms", _p95([part.ms for part in parts])
    yield "console_fragment_kb", max(part.bytes for part in parts) / 1000


def _turn(browser: Browser, path: str) -> str:
    """The address of the 1,000th page, by its links of `rel=next`; in large pages on the way."""
    large, each = "&limit=200" if "?" in path else "?limit=200", 200
    here = path + large
    for _ in range(DEEP * 50 // each):
        found = re.search(r'rel="next" href="([^"]+)"', browser.ask(here).text)
        if found is None:
            raise BenchmarkError(f"{path} has fewer than {DEEP} pages")
        here = html.unescape(found[1])
    return re.sub(r"([?&])limit=200&?", r"\1", here).rstrip("?&")


def _viewers(laboratory: Laboratory) -> Measured:
    alone, beside = [], []
    for turn in range(PAIRS):
        # Each comes first in its turn, so that a machine that grows slower or faster is not taken for the viewers.
        for viewers in (0, VIEWERS)[:: -1 if turn % 2 else 1]:
            (beside if viewers else alone).append(_send(laboratory, viewers))
    slower = [100 * (watched / unwatched - 1) for watched, unwatched in zip(beside, alone, strict=True)]
    return {"console_viewers_slow_pct": slower, "console_viewers_s": beside, "console_viewers_alone_s": alone}


def _send(laboratory: Laboratory, viewers: int) -> float:
    """Seconds from launch to the last outcome of a run to the whole city, with so many pages open on it."""
    with laboratory.city() as database:
        gateways = null_gateway(laboratory)
        plan(database, gateways)
        variables = laboratory.variables(database, gateways, RATE_LIMIT="1000000 per minute")
        secret = _begin_session(database)
        with laboratory.workers(WORKERS, variables), clock(laboratory, variables), web(laboratory, variables) as port:
            with _watched(port, secret, viewers):
                run_id = launch(laboratory, database)
                wait_until_sent(database, run_id, city.PEOPLE)
            return seconds_of(database, run_id, city.PEOPLE)


@contextmanager
def _watched(port: int, secret: str, viewers: int) -> Iterator[None]:
    """So many pages of the first run that refresh themselves, in a process of their own."""
    if not viewers:
        yield
        return
    command = [sys.executable, str(_WATCHER), json.dumps({"port": port, "secret": secret, "viewers": viewers})]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        yield
    finally:
        process.terminate()
        said, _ = process.communicate()
    counted = json.loads(said or "{}")
    print(f"viewers asked {counted}", file=sys.stderr)
    if not counted.get("asked") or counted.get("failed"):
        raise BenchmarkError(f"the viewers were not served: {counted}")


PAGES = Benchmark(
    _pages,
    {
        "console_first_visit_kb": "kB",
        "console_page_kb": "kB",
        "console_fragment_kb": "kB",
        **{
            f"console_{name}_p95_ms": "ms"
            for name in (
                *("home", "campaigns", "people", "people_page_1000", "people_search", "units", "rows"),
                *("rows_page_1000", "trail", "run", "check", "counts_by_unit", "fragment"),
                *("gateways", "gateway", "unknowns", "unknown_rows"),
            )
        },
    },
    runs=1,
    group=50,
    size=REQUESTS,
)
WATCHED = Benchmark(
    _viewers,
    {"console_viewers_slow_pct": "%", "console_viewers_s": "s", "console_viewers_alone_s": "s"},
    runs=1,
    group=VIEWERS,
    size=city.PEOPLE,
)
