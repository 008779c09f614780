"""Whatever happens to runs and quotas in whatever order: planned + used + left is the limit, and nothing goes over it
without somebody's release; the sums that are kept are those of the reservations.
"""

from __future__ import annotations

from datetime import date

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from sms_service.accounts.actors import SYSTEM
from sms_service.campaigns import control, quota_setting, quotas
from sms_service.controls.accounts import synchronise_gateways
from sms_service.db.engine import Database
from sms_service.directory.models import Unit
from sms_service.ledger.models import Run
from sms_service.ledger.quota_holds import hold_for_lacks
from sms_service.ledger.quota_models import QuotaReservation, ReservationState
from sms_service.ledger.quotas import Amounts, QuotaKind, ReservedRun, release_lacks, reserve_amounts
from tests.dispatch.city import ScriptedAdapter, ScriptedGateways, make_run
from tests.examples import count_examples
from tests.factories import make_unit

UNITS, MOST = 4, 12  # a line of three and a neighbour; people, parts and fen alike


def machine(database: Database) -> type[RuleBasedStateMachine]:
    class Quotas(RuleBasedStateMachine):
        """Runs of some units that reserve, grow, end, are cancelled and released, while quotas change."""

        @initialize()
        def found(self) -> None:
            with database.session() as session:
                for table in ("quota_reservations", "quota_uses", "quotas"):
                    session.execute(text(f"DELETE FROM {table}"))
                synchronise_gateways(session, ScriptedGateways({"main": ScriptedAdapter()}))
                city = make_unit(session)
                street = make_unit(session, parent=city)
                self.units = [city, street, make_unit(session, parent=street), make_unit(session, parent=city)]
                self.runs: list[int] = []
                self.month = quotas.find_month(session, city)
            self.exceeded: set[tuple[int, date]] = set()  # by a release, by what was sent, or by a lower limit

        def reserve(self, run_id: int, amounts: Amounts, state: ReservationState, late: bool = False) -> None:
            month = date(self.month.year + 1, 1, 1) if late else self.month
            with database.session() as session:
                run = session.get_one(Run, run_id)
                if run.status == "cancelled":
                    return
                wanted = ReservedRun(run_id, month, run.unit_path, amounts, state)
                lacks = reserve_amounts(session.connection(), [wanted])
                hold_for_lacks(session, lacks)
                if state == ReservationState.used:
                    self.exceeded |= {(one.id, month) for one in self.units if run.unit_path.startswith(one.path)}

        @rule(unit=st.integers(0, UNITS - 1), numbers=st.tuples(*[st.integers(0, 6)] * 3), late=st.booleans())
        def plan(self, unit: int, numbers: tuple[int, int, int], late: bool) -> None:
            with database.session() as session:
                self.runs.append(make_run(session, self.units[unit]).id)
            self.reserve(self.runs[-1], Amounts(*numbers), ReservationState.planned, late)

        @rule(data=st.data(), numbers=st.tuples(*[st.integers(0, 6)] * 3), late=st.booleans())
        def count_anew(self, data: st.DataObject, numbers: tuple[int, int, int], late: bool) -> None:
            if self.runs:
                self.reserve(data.draw(st.sampled_from(self.runs)), Amounts(*numbers), ReservationState.planned, late)

        @rule(data=st.data(), numbers=st.tuples(*[st.integers(0, 6)] * 3))
        def end(self, data: st.DataObject, numbers: tuple[int, int, int]) -> None:
            if self.runs:
                self.reserve(data.draw(st.sampled_from(self.runs)), Amounts(*numbers), ReservationState.used)

        @rule(data=st.data())
        def cancel(self, data: st.DataObject) -> None:
            if not self.runs:
                return
            run_id = data.draw(st.sampled_from(self.runs))
            with database.session() as session:
                run = session.get_one(Run, run_id)
                if run.status == "cancelled":
                    return
                control.cancel_run(session, SYSTEM, run_id, "不发")
                wanted = ReservedRun(run_id, run.month, run.unit_path, Amounts(), ReservationState.used)
                reserve_amounts(session.connection(), [wanted])

        @rule(data=st.data(), unit=st.integers(0, UNITS - 1))
        def release(self, data: st.DataObject, unit: int) -> None:
            if not self.runs:
                return
            run_id, released = data.draw(st.sampled_from(self.runs)), self.units[unit].id
            with database.session() as session:
                release_lacks(session.connection(), run_id, [released])
            self.exceeded |= {(released, self.month), (released, date(self.month.year + 1, 1, 1))}

        @rule(unit=st.integers(0, UNITS - 1), most=st.integers(0, MOST), own=st.booleans())
        def set_limit(self, unit: int, most: int, own: bool) -> None:
            with database.session() as session:
                unit_id, month = self.units[unit].id, self.month if own else None
                limits = {kind.value: most for kind in QuotaKind}
                quota_setting.set_quota(session, SYSTEM, unit_id, month, limits, "试")
                self.note_lower(session)

        @rule(unit=st.integers(0, UNITS - 1), own=st.booleans())
        def remove_limit(self, unit: int, own: bool) -> None:
            with database.session() as session:
                for one in quotas.list_line_quotas(session, self.units[unit].path, self.month):
                    if one.unit_id == self.units[unit].id and one.standing is not own:
                        quota_setting.remove_quota(session, SYSTEM, one.unit_id, self.month if own else None, "试")
                self.note_lower(session)

        def note_lower(self, session: Session) -> None:
            """A limit below what is taken, which whoever set it has wanted so."""
            for month in (self.month, date(self.month.year + 1, 1, 1)):
                for row in session.execute(quotas.find_quotas([self.units[0].path], month)):
                    found = quotas.read_standing(row)
                    if any(found.over(kind) for kind in QuotaKind):
                        self.exceeded.add((found.unit_id, month))

        @invariant()
        def it_adds_up(self) -> None:
            with database.session() as session:
                for month in (self.month, date(self.month.year + 1, 1, 1)):
                    for row in session.execute(quotas.find_quotas([self.units[0].path], month)):
                        found = quotas.read_standing(row)
                        for place, kind in enumerate(QuotaKind):
                            most = found.most[place]
                            if most is None:
                                continue
                            left, over = found.left(kind), found.over(kind)
                            assert left is not None
                            assert found.planned[place] + found.used[place] + left - over == most
                            assert over == 0 or (found.unit_id, month) in self.exceeded
                        assert self.sums(session, found.unit_id, month) == (found.planned, found.used)

        def sums(self, session: Session, unit_id: int, month: date) -> tuple[Amounts, Amounts]:
            """From the reservations, whatever sums are kept."""
            path = session.get_one(Unit, unit_id).path
            found = []
            for is_used in (False, True):
                row = session.execute(
                    select(*(func.coalesce(func.sum(getattr(QuotaReservation, kind)), 0) for kind in QuotaKind)).where(
                        QuotaReservation.month == month,
                        QuotaReservation.unit_path.startswith(path),
                        (QuotaReservation.state == "used") == is_used,
                    )
                ).one()
                found.append(Amounts(*map(int, row)))
            return found[0], found[1]

    return Quotas


def test_planned_used_and_left_are_the_limit(database: Database) -> None:
    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        machine(database),
        settings=settings(
            max_examples=count_examples(4),
            stateful_step_count=20,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
