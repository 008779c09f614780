"""The demonstration: a made-up city from its spreadsheets to delivery counts, through the rooms that a real one uses.

The city is marked in the database: only simulated gateways ever take its rows.
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from sqlalchemy import func, select
from sqlalchemy.orm import Session

import sms_service.tables  # noqa: F401 - every room's tables, so that foreign keys resolve
from sms_service.accounts import services as accounts
from sms_service.accounts import tokens
from sms_service.accounts.actors import SYSTEM, Actor, load_actor
from sms_service.audience.import_work import bring_in
from sms_service.console.demonstration import LOGINS_FILE
from sms_service.content import shipped
from sms_service.db.engine import Database
from sms_service.directory.checking import within_session
from sms_service.directory.importing import group_problems
from sms_service.directory.models import Person, Unit
from sms_service.directory.units import change_unit
from sms_service.ledger.models import Run
from sms_service.ops.agreement import disagreements
from sms_service.ops.demonstration_campaigns import (
    APPROVERS,
    send_demonstration_campaign,
    set_demonstration_quotas,
    set_demonstration_rules,
)
from sms_service.ops.demonstration_life import Life
from sms_service.ops.demonstration_lists import load_demonstration_lists
from sms_service.ops.errors import OperationError
from sms_service.ops.http import call_api, instruct_simulator, simulators_ledger
from sms_service.ops.supervisor import Running
from sms_service.own_texts.phones import give_invented_phone
from sms_service.reports.counts import check_identity, count_messages
from sms_service.reports.filters import Filter
from sms_service.schedules.official_years import take_over_year

DATA = Path(__file__).with_name("demonstration_data")
AHEAD_S = 4  # seconds ahead for which the city centre schedules its text
CALENDAR_YEAR = 2026  # whose working days the city has
LONGEST_S = 60.0  # how long the demonstration watches
_LOOK_S = 0.5
# What the simulator does to the demonstration: shares of texts, and seconds until a receipt.
_BEHAVIOUR = {"refuse_share": 0.01, "fail_share": 0.02, "receipt_delay_s": [0.5, 3.0]}
_OPEN = ("pending", "claimed", "submitting", "accepted")


@dataclass(frozen=True, slots=True)
class Cast:
    """The people who act in the demonstration."""

    city_officer: Actor
    approvers: Sequence[Actor]
    secretary: Actor
    auditor_token: str
    logins: str
    everybody: Mapping[str, Actor]


def first_start(running: Running) -> None:
    """What `make run` does beside serving: show the demonstration if the database is empty; then say where things
    are.
    """
    with _database(running) as database, database.session() as session:
        empty = session.scalar(select(func.count()).select_from(Unit)) == 0
    if empty:
        show_demonstration(running, lively=True)
    logins = running.settings.data_dir / LOGINS_FILE
    running.say(f"serving at {running.base_url}: open it in a browser (documentation: {running.base_url}/docs)")
    running.say(f"data and logs are in {running.settings.data_dir}")
    if logins.exists():
        running.say(f"the log-in page shows the demonstration's people; their passwords are in {logins}")
    running.say("Ctrl-C stops it and loses nothing")


def show_demonstration(running: Running, *, lively: bool = False) -> dict[str, Any]:
    """Load the city, send its two campaigns, watch them; returns the result that `make demo` prints.

    `lively`: then fill the city with what a working day leaves behind, for those who look at the pages.
    """
    started = time.monotonic()
    instruct_simulator(running.variables, _BEHAVIOUR)
    with _database(running) as database:
        with database.session() as session:
            # One transaction, so that an interrupted start begins anew.
            city = _load_city(session, running)
            cast = _cast(session, city)
            runs = [_study(session, cast, city), _theme_day(session, cast)]
        _write_logins(running, cast)
        _watch(running, database, runs, started)
        _read_as_auditor(running, cast.auditor_token)
        with database.session() as session:
            result = _result(session, running, runs, time.monotonic() - started)
        if lively:
            Life(running, database, city, cast.everybody, _BEHAVIOUR).fill_city()
    return result


class _database:
    """The service's database, for as long as the demonstration uses it."""

    def __init__(self, running: Running) -> None:
        self._database = Database(running.settings.database_url or "", pool_size=2, application_name="demonstration")

    def __enter__(self) -> Database:
        return self._database

    def __exit__(self, *_: object) -> None:
        self._database.close()


def _load_city(session: Session, running: Running) -> int:
    units_file, people_file = DATA / "units.csv", DATA / "members_district.xlsx"
    begin = partial(within_session, session)
    units = bring_in(begin, SYSTEM, "units", units_file.read_bytes(), units_file.name, demonstration=True)
    running.say(f"{units_file.name}: {units.created} units")
    city = session.scalars(select(Unit).where(Unit.parent_id.is_(None))).one()
    change_unit(session, SYSTEM, city.id, window_opens="00:00", window_closes="24:00")
    record = bring_in(begin, SYSTEM, "people", people_file.read_bytes(), people_file.name)
    running.say(
        f"{people_file.name}: {record.rows} rows, {record.created} people, {record.unchanged} repeated, "
        f"{record.refused} refused, {record.suppressed} phones that want no texts"
    )
    for group in group_problems(session, record)[:6]:
        first = group.first
        if first.refused:
            running.say(f"  refused: {group.findings} × {first.column}: {first.said} (first in row {first.row})")
    shipped.install_shipped(session, city)
    set_demonstration_rules(session, city.id)
    set_demonstration_quotas(session, city.id)
    running.say(f"reference lists: {load_demonstration_lists(session, city.id)} rows")
    running.say(f"calendar of working days: {len(take_over_year(session, SYSTEM, city.id, CALENDAR_YEAR))} days")
    return city.id


def _cast(session: Session, city_id: int) -> Cast:
    branch_id = session.scalars(
        select(Person.unit_id).group_by(Person.unit_id).order_by(func.count().desc(), Person.unit_id).limit(1)
    ).one()
    district_id = session.scalars(select(Unit.id).where(Unit.level == "district").order_by(Unit.code).limit(1)).one()
    people = {
        "admin": ("市管理员", "administrator", city_id),
        "city-officer": ("市委组织部干事", "officer", city_id),
        "city-approver": ("市委组织部审批人", "approver", city_id),
        "second-approver": ("市委办审批人", "approver", city_id),
        "district-officer": ("区干事", "officer", district_id),
        "secretary": ("支部书记", "officer", branch_id),
        "auditor": ("审计员", "auditor", city_id),
        "operator": ("值班员", "operator", city_id),
    }
    ids, lines = {}, ["# login, password, (role, unit), name; with tabs between"]
    for login, (name, role, unit_id) in people.items():
        password = secrets.token_urlsafe(12)
        account = accounts.create_account(session, SYSTEM, unit_id=unit_id, login=login, name=name, password=password)
        accounts.grant_role(session, SYSTEM, account.id, role=role, unit_id=unit_id)
        ids[login] = account.id
        give_invented_phone(session, account.id, f"1390000{len(ids):04d}")
        lines.append(f"{login}\t{password}\t({role}, unit {unit_id})\t{name}")
    now = datetime.now(UTC)
    _, raw = tokens.issue_token(
        session,
        SYSTEM,
        ids["auditor"],
        "demonstration",
        now=now,
        random_bytes=secrets.token_bytes,
        expires_at=now + timedelta(hours=1),
    )
    return Cast(
        load_actor(session, ids["city-officer"]),
        [load_actor(session, ids[login]) for login in APPROVERS],
        load_actor(session, ids["secretary"]),
        raw,
        "\n".join(lines) + "\n",
        {login: load_actor(session, account_id) for login, account_id in ids.items()},
    )


def _write_logins(running: Running, cast: Cast) -> None:
    path = running.settings.data_dir / LOGINS_FILE
    path.touch(mode=0o600)
    path.write_text(cast.logins, encoding="utf-8")


def _study(session: Session, cast: Cast, city_id: int) -> int:
    """The city centre schedules a study-content text, a few seconds ahead, to everyone."""
    now: datetime = session.scalars(select(func.sms_now())).one()
    return send_demonstration_campaign(
        session,
        cast.city_officer,
        cast.approvers,
        unit_id=city_id,
        name="每日一学",
        template="学习内容",
        values={"日期": f"{now.month}月{now.day}日", "内容": "坚持理论联系实际，把学习成果转化为服务群众的实际行动。"},
        at=now + timedelta(seconds=AHEAD_S),
    )


def _theme_day(session: Session, cast: Cast) -> int:
    """A branch secretary invites the branch to a theme day, at once."""
    return send_demonstration_campaign(
        session,
        cast.secretary,
        cast.approvers,
        unit_id=cast.secretary.grants[0].unit_id,
        name="主题党日",
        template="主题党日邀请",
        values={"主题": "重温入党誓词", "时间": "本周六上午9时", "地点": "社区党群服务中心"},
    )


def _watch(running: Running, database: Database, runs: Sequence[int], started: float) -> None:
    """Show progress bars until no row waits or is `accepted` any more, or the time is over."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[now]}"))
    terminal = Console(stderr=True)
    console = terminal if terminal.is_terminal else Console(stderr=True, width=160)
    with Progress(*columns, TimeElapsedColumn(), console=console) as progress:
        bars: dict[int, TaskID] = {}
        while not running.stopping.is_set() and time.monotonic() - started < LONGEST_S:
            with database.session() as session:
                rows = {
                    run.id: (run, _statuses(session, run))
                    for run in session.scalars(select(Run).where(Run.id.in_(runs)))
                }
            for run_id, (run, found) in rows.items():
                if run_id not in bars:
                    bars[run_id] = progress.add_task(f"run {run_id}", total=None, now="")
                done = sum(number for status, number in found.items() if status not in _OPEN)
                now = " ".join(f"{status} {number}" for status, number in sorted(found.items()))
                progress.update(bars[run_id], total=run.audience, completed=done, now=now or run.status)
            if all(
                run.audience is not None and not any(found.get(status) for status in _OPEN)
                for run, found in rows.values()
            ):
                return
            running.stopping.wait(_LOOK_S)


def _statuses(session: Session, run: Run) -> dict[str, int]:
    if run.audience is None:
        return {}
    return check_identity(session, run.id).statuses


def _read_as_auditor(running: Running, token: str) -> None:
    """Read the counts by unit and outcome with an auditor's token, over HTTP like any client."""
    answer = json.loads(call_api(f"{running.base_url}/api/v1/counts?by=unit,status", token))
    running.say("the auditor reads, by unit and outcome:")
    for row in answer["items"]:
        unit = row["by"]["unit"]
        name = unit["name"] if isinstance(unit, dict) else unit
        running.say(
            f"  {name} {row['by']['status']}: {row['messages']} messages, {row['people']} people, {row['parts']} parts"
        )


def _result(session: Session, running: Running, runs: Sequence[int], seconds: float) -> dict[str, Any]:
    lines = []
    for run_id in runs:
        run = session.get_one(Run, run_id)
        if run.audience is None:
            raise OperationError(f"run {run_id} was not frozen within {LONGEST_S:g} s; see the logs")
        found = check_identity(session, run_id)
        parts = sum(count.parts for count in count_messages(session, Filter(("/",), run_id=run_id), ()))
        lines.append({"audience": found.audience, "statuses": found.statuses, "parts": parts, "identity": found.holds})
    ended = [
        run_id for run_id in runs if not any(check_identity(session, run_id).statuses.get(open_) for open_ in _OPEN)
    ]
    for run_id in set(runs) - set(ended):
        running.say(f"run {run_id} is still sending after {LONGEST_S:g} s; its texts are compared when it is over")
    wrong = disagreements(session, simulators_ledger(running.variables), ended)
    for sentence in wrong:
        running.say(f"the ledgers disagree: {sentence}")
    holds = all(line["identity"] for line in lines) and not wrong
    return {"campaigns": lines, "identity": holds, "seconds": round(seconds, 1)}
