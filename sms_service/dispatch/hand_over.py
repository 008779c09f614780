"""The steps of one group: claim, render, gate, submit, outcomes. No transaction is open while a gateway is called.

The order is the protocol of docs/sending.md. If a process dies at any step, its rows tell a sweep what happened: a
`claimed` row has surely not left, a `submitting` row may have.
"""

from __future__ import annotations

import logging
import random
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError

from sms_service.controls import account_breaker
from sms_service.db.engine import Database, first_line
from sms_service.dispatch import breaker
from sms_service.dispatch.grouping import build_group, submit_group
from sms_service.dispatch.points import Point
from sms_service.dispatch.rendering import Renderer
from sms_service.dispatch.retry import BLAMES_ACCOUNT, IN_ONE_RECIPIENT, MAX_ATTEMPTS, STOPS_ACCOUNT, retry_after
from sms_service.gateways.base import Adapter, Outcome, OutcomeKind
from sms_service.gateways.http_client import boot_clock
from sms_service.gateways.words import bound_id, bound_word
from sms_service.ledger import protocol
from sms_service.ledger.protocol import LOCK_WAIT_S, Claim, Passed, Recorded, Rendered
from sms_service.said import say

CLAIM_LEASE_S = 60.0
# A hand-over begins within this many seconds of sending the gate's statement or not at all.
FRESH_S = 10.0
# Rows are tried again after this many seconds if their gate waited in vain for a lock.
LOCKED_PAUSE_S = 2.0
# Seconds that a worker has, after its adapter's last moment, to write the outcomes down before the row may become
# `unknown`.
WRITING_S = 30.0

log = logging.getLogger(__name__)
T = TypeVar("T")


@dataclass(slots=True)
class Done:
    """What became of one claim: rows leased, parts handed over, and whether the provider said that it was too fast."""

    claimed: int = 0
    parts: int = 0
    throttled: bool = False


class HandOver:
    """Takes claims as far as they go. Thread-safe: several groups are under way at once.

    `new_token`, `random` (0 to 1), `clock` (seconds, running while the machine sleeps) and `at` (called at each
    point of the protocol) are passed in so that tests can hold them still.
    """

    def __init__(
        self,
        database: Database,
        *,
        new_token: Callable[[], str] = lambda: str(uuid.uuid4()),
        random: Callable[[], float] = random.random,
        clock: Callable[[], float] = boot_clock,
        at: Callable[[Point], None] = lambda point: None,
    ) -> None:
        self._database = database
        self._renderer = Renderer(database)
        self._new_token = new_token
        self._random = random
        self._clock = clock
        self._at = at
        self._stuck: set[int] = set()  # threads whose outcomes PostgreSQL has not taken yet

    @property
    def stuck(self) -> bool:
        """Whether outcomes cannot be written down at the moment; no new work may begin then."""
        return bool(self._stuck)

    def group(self, claim: Claim, adapter: Adapter, size: int, *, alternative: bool = False, halved: int = 0) -> Done:
        """Claim up to `size` rows of the run and take them as far as they go.

        `alternative`: the run's route has another open account, which may get what this one refuses. `halved`: how
        often these rows have gone before in a group that was refused whole.
        """
        with self._database.transaction() as connection:
            rows = protocol.claim_rows(connection, claim, size, CLAIM_LEASE_S)
        if not rows:
            return Done()
        self._at(Point.claimed)
        rendered, errors = self._renderer.render(claim.run_id, rows)
        if errors:
            with self._database.transaction() as connection:
                protocol.refuse_unrendered(connection, claim, errors)
        self._at(Point.rendered)
        done = Done(len(rows))
        own = {row.id: row.values for row in rows}
        self._call(claim, adapter, rendered, own, done, alternative=alternative, halved=halved)
        return done

    def _call(
        self,
        claim: Claim,
        adapter: Adapter,
        rendered: list[Rendered],
        own: Mapping[int, Mapping[str, Any] | None],
        done: Done,
        *,
        alternative: bool,
        halved: int,
    ) -> None:
        """Take rendered rows through the gate and hand over those that pass; `own`: the values of each recipient."""
        passed, asked_at = self._pass_gate(claim, rendered, adapter) if rendered else ([], 0.0)
        if not passed:
            if claim.ids is not None:  # a canary of which nothing may leave makes room for others
                self._look_back(claim, ())
            return
        self._at(Point.gate_committed)
        try:
            group, unfilled = build_group(
                claim,
                passed,
                lambda row: self._renderer.fill_places(claim.run_id, row.parameters, own[row.message_id]),
            )
        except DBAPIError as error:
            log.warning(
                "run %s: its template cannot be read; its texts are taken back: %s", claim.run_id, first_line(error)
            )
            self._withdraw(claim, [row.message_id for row in passed])
            return
        if self._clock() - asked_at >= FRESH_S:
            log.warning(
                "run %s: %s texts are taken back, not handed over: too long since the gate", claim.run_id, len(passed)
            )
            self._withdraw(claim, [row.message_id for row in passed])
            return
        self._at(Point.checked)
        answers = submit_group(adapter, group, unfilled)
        self._at(Point.submitted)
        again: list[Passed] = []
        outcomes: dict[bool, list[Recorded]] = {True: [], False: []}
        for row, answer in zip(passed, answers, strict=True):
            goes_again = len(passed) > 1 and answer.whole_group and _in_one(answer)
            again += [row] if goes_again else []
            # What goes again in halves says nothing yet, and a link that is down pauses its account by itself.
            counts = not goes_again and not (answer.unwritten and adapter.capabilities.link)
            outcomes[counts].append(
                self._recorded(row, answer, row.number - halved, again=goes_again, alternative=alternative)
            )
        for counts, recorded in outcomes.items():
            if recorded:
                self._record(claim, recorded, counted=counts)
        self._at(Point.recorded)
        done.parts += sum(row.parts for row in passed)
        done.throttled |= any(answer.kind is OutcomeKind.throttled for answer in answers)
        if again:
            self._halves(claim, adapter, again, done, halved + 1)
        elif claim.ids is not None or not all(answer.kind is OutcomeKind.accepted for answer in answers):
            self._look_back(claim, answers)

    def _halves(self, claim: Claim, adapter: Adapter, passed: Sequence[Passed], done: Done, halved: int) -> None:
        """Hand over a group that was refused whole in two halves, until the text that it was refused for
        stands alone.
        """
        ids = [row.message_id for row in passed]
        for half in filter(None, (ids[: len(ids) // 2], ids[len(ids) // 2 :])):
            # Whatever this account takes otherwise: these are its own.
            its = replace(claim, token=self._new_token(), fresh=True, accounts=(), ids=tuple(half))
            of_half = self.group(its, adapter, len(half), halved=halved)
            done.parts += of_half.parts
            done.throttled |= of_half.throttled

    def _pass_gate(self, claim: Claim, rows: list[Rendered], adapter: Adapter) -> tuple[list[Passed], float]:
        """The rows that may be handed over now, and when the gate was asked: its conditions were checked at that
        moment.
        """
        lease_s = FRESH_S + adapter.capabilities.total_timeout_s + WRITING_S
        try:
            with self._database.transaction() as connection:
                asked_at = self._clock()
                passed = protocol.pass_gate(connection, claim, rows, lease_s, LOCK_WAIT_S)
                self._at(Point.gate_sent)
        except DBAPIError as error:
            if protocol.waited_in_vain(error):
                log.info(
                    "run %s: a lock was not free; %s texts are tried again soon: %s",
                    claim.run_id,
                    len(rows),
                    first_line(error),
                )
                self._release(claim, rows, LOCKED_PAUSE_S)
                return [], 0.0
            # The answer to the COMMIT may be what was lost: nothing is handed over, and by its token all is taken back.
            log.warning(
                "run %s: no answer from the gate; its texts are taken back: %s", claim.run_id, first_line(error)
            )
            self._withdraw(claim, [row.id for row in rows])
            return [], 0.0
        if len(passed) < len(rows):
            self._release(claim, rows)
        return passed, asked_at

    def _withdraw(self, claim: Claim, ids: Sequence[int]) -> None:
        self._until_written(lambda connection: protocol.withdraw_rows(connection, claim, ids))

    def _release(self, claim: Claim, rows: Iterable[Rendered], again_s: float = 0.0) -> None:
        try:
            with self._database.transaction() as connection:
                protocol.release_rows(connection, claim, [row.id for row in rows], again_s)
        except DBAPIError as error:
            # Rows that passed must go on. The others are still claimed, and their lease ends soon.
            log.warning(
                "run %s: rows are not released and wait until their lease ends: %s", claim.run_id, first_line(error)
            )

    def _recorded(self, row: Passed, outcome: Outcome, number: int, *, again: bool, alternative: bool) -> Recorded:
        kind, provider_id = outcome.kind, bound_id(outcome.provider_id)
        if kind is OutcomeKind.accepted and not provider_id:
            kind = OutcomeKind.unknown  # nothing could tie a receipt to it
        # If nothing was written, that is not the text's fault and uses up none of its tries; its validity ends it.
        number = min(number, MAX_ATTEMPTS - 1) if outcome.unwritten else number
        return Recorded(
            attempt_id=row.attempt_id,
            kind=kind,
            provider_id=provider_id,
            error=outcome.error.value if outcome.error else None,
            raw_code=bound_word(outcome.raw_code),
            detail=bound_word(outcome.detail),
            retry_after_s=0.0 if again else retry_after(outcome, number, self._random, alternative=alternative),
            blamed=kind is OutcomeKind.refused and outcome.error in BLAMES_ACCOUNT,
            part_ids=tuple(bound_id(part_id) or "" for part_id in outcome.part_ids),
        )

    def _record(self, claim: Claim, outcomes: Sequence[Recorded], *, counted: bool = True) -> None:
        month, counts_for = claim.month, claim if counted else None
        try:
            self._until_written(lambda connection: protocol.record_outcomes(connection, month, outcomes, counts_for))
        except (DataError, IntegrityError) as error:
            if len(outcomes) > 1:  # one answer that cannot be kept does not take the others with it
                for outcome in outcomes:
                    self._record(claim, [outcome], counted=counted)
                return
            log.error("outcomes cannot be stored as they are; they are written as unknown: %s", first_line(error))
            plain = [Recorded(outcome.attempt_id, OutcomeKind.unknown) for outcome in outcomes]
            self._until_written(lambda connection: protocol.record_outcomes(connection, month, plain, counts_for))

    def _look_back(self, claim: Claim, answers: Sequence[Outcome]) -> None:
        """Ask the breaker and judge the canary before the next group leaves, if not all went well or these are a run's
        first texts.
        """
        stops = {a.error for a in answers if a.kind is OutcomeKind.refused and a.error in STOPS_ACCOUNT}
        try:
            # Each in a transaction of its own: none may hold an account's row and then wait for a run's, as gates lock
            # the run's first.
            for error in sorted(stops, key=str):
                why = say("the provider refused texts: {error}", error=error)
                with self._database.transaction() as connection:
                    account_breaker.pause_account(connection, claim.gateway_account_id, why)
            with self._database.transaction() as connection:
                account_breaker.trip_account(connection, claim.gateway_account_id)
            with self._database.transaction() as connection:
                breaker.check_run_breaker(connection, claim.run_id)
            with self._database.transaction() as connection:
                breaker.check_canary(connection, claim.run_id, claim.month)
        except DBAPIError as error:
            log.warning("PostgreSQL failed; the breaker checks after the next hand-over: %s", first_line(error))

    def _until_written(self, write: Callable[[Connection], T]) -> T:
        """Try until PostgreSQL has stored it: the gateway's answer is known nowhere else."""
        pause_s = 0.1
        me = threading.get_ident()
        try:
            while True:
                try:
                    with self._database.transaction() as connection:
                        return write(connection)
                except (DataError, IntegrityError):
                    raise  # trying again changes nothing
                except DBAPIError as error:
                    self._stuck.add(me)
                    log.warning("outcomes cannot be written yet; trying again: %s", first_line(error))
                    time.sleep(pause_s)
                    pause_s = min(2.0, pause_s * 2)
        finally:
            self._stuck.discard(me)


def _in_one(outcome: Outcome) -> bool:
    return outcome.kind is OutcomeKind.refused and outcome.error in IN_ONE_RECIPIENT
