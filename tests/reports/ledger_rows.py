"""A small tree of units and rows of the ledger as they may stand there, written down directly."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from itertools import count

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from sms_service.controls.accounts import synchronise_gateways
from sms_service.controls.models import GatewayAccount
from sms_service.db.engine import Database
from sms_service.directory.models import Person, Unit
from sms_service.ledger.amendment_models import CountedDay
from sms_service.ledger.models import Attempt, Message, Run
from sms_service.ledger.states import AttemptStatus
from sms_service.reports.roll_up_models import DaySeal
from sms_service.reports.roll_ups import exact_days, roll_up
from sms_service.reports.seals import seal_days
from tests.dispatch.city import ScriptedAdapter, ScriptedGateways
from tests.factories import make_person, make_unit

TOKEN = "00000000-0000-0000-0000-000000000000"
_numbers = count(1)


def make_tree(session: Session, days: Iterable[date]) -> list[Unit]:
    """A city with two districts, of which the first has two branches: city, district, district, branch, branch. There
    is a month for each of the days.
    """
    synchronise_gateways(session, ScriptedGateways({"main": ScriptedAdapter()}))
    city = make_unit(session)
    one, other = make_unit(session, parent=city), make_unit(session, parent=city)
    units = [city, one, other, make_unit(session, parent=one), make_unit(session, parent=one)]
    for day in days:
        session.execute(select(func.ensure_month(day.replace(day=1))))
    session.commit()
    return units


def add_message(
    session: Session,
    run: Run,
    unit: Unit,
    status: str,
    attempts: Sequence[tuple[str, int]] = (),
    person: Person | None = None,
) -> Message:
    """One row of the run for a person of the unit, by default a new one, with attempts (status, parts)."""
    gateway_account_id = session.scalars(select(GatewayAccount.id)).one()
    left = status in ("accepted", "unknown", "delivered", "undelivered", "no_receipt")
    attempts = attempts or ([(_goes_with(status), 1)] if left else [])
    if len(attempts) == 1:  # of a single attempt message and attempt say the same
        attempts = [(_goes_with(status), attempts[0][1])]
    now = session.scalars(select(func.sms_now())).one()
    person = person or make_person(session, unit)
    message = Message(
        month=run.month,
        run_id=run.id,
        person_id=person.id,
        unit_id=unit.id,
        unit_path=unit.path,
        phone=person.phone,
        class_=run.class_,
        template_version_id=run.template_version_id,
        route_id=run.route_id,
        status=status,
        reason="capped" if status == "skipped" else None,
        not_before=now,
        expires_at=now,
        changed_at=now,
        attempts=len(attempts),
        parts=attempts[-1][1] if attempts else None,
        gateway_account_id=gateway_account_id if attempts else None,
    )
    session.add(message)
    session.flush()
    for number, (outcome, parts) in enumerate(attempts, 1):
        session.add(
            Attempt(
                month=run.month,
                message_id=message.id,
                run_id=run.id,
                number=number,
                gateway_account_id=gateway_account_id,
                claim_token=TOKEN,
                status=outcome,
                parts=parts,
                provider_id=f"p{next(_numbers)}",
                started_at=now,
            )
        )
    session.flush()
    return message


def _goes_with(status: str) -> AttemptStatus:
    """The status of the only attempt of a message."""
    return AttemptStatus(status) if status in list(AttemptStatus) else AttemptStatus.refused


def settle_roll_ups(database: Database, *, seal: bool = False) -> None:
    """Let days be listed, what was under way end (that of other tests on this server, too), and all be added up; with
    `seal`, be sealed.
    """

    def done() -> bool:
        roll_up(database, quiet_s=0, most=10)
        if seal:
            seal_days(database)
        with database.transaction() as connection:
            left = select(CountedDay.day).where(CountedDay.day.not_in(select(DaySeal.day) if seal else exact_days()))
            listed = connection.scalars(select(CountedDay.day)).all()
            return bool(listed) and not connection.scalars(left).all()

    while not done():
        pass
    for _ in range(4):
        roll_up(database, quiet_s=0)  # the months, one at a time
