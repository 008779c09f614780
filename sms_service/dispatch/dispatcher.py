"""Hands texts over: claim, render, gate, submit, outcomes; one group at a time, no transaction open while a gateway
is called.

The order is the protocol of docs/sending.md. Whatever dies, wherever, leaves rows that a sweep can read: `claimed`
has surely not left, `submitting` may have.
"""

from __future__ import annotations

import logging
import random
import time
import uuid
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache
from typing import Any, TypeVar

from sqlalchemy import Connection, select
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError

from sms_service.content.compose import compose
from sms_service.content.language import CannotRender, CompiledTemplate, compiled
from sms_service.content.models import TemplateVersion
from sms_service.db.engine import Database
from sms_service.db.statements import Statement
from sms_service.dispatch.retry import MAX_ATTEMPTS, retry_after
from sms_service.gateways.base import Adapter, ErrorClass, Group, NotTaken, Outcome, OutcomeKind, Text
from sms_service.gateways.http_client import boot_clock
from sms_service.gateways.registry import Gateways
from sms_service.ledger import handover
from sms_service.ledger.handover import Claim, Claimed, Passed, Recorded, Rendered
from sms_service.ledger.models import Run
from sms_service.ledger.receipts import attempt_reference

RUNNABLE = Statement(__file__, "runnable")

CLAIM_LEASE_S = 60.0
# A hand-over begins within this many seconds of the gate's COMMIT or not at all.
FRESH_S = 10.0
# Seconds that a worker has, after its adapter's last moment, to write the outcomes down before the row may become
# `unknown`.
WRITING_S = 30.0
# How long one job goes on before it gives way to others, in seconds; it ends between groups.
JOB_S = 2.0

LONGEST_WORD = 200  # characters of a provider's id, code or explanation

log = logging.getLogger(__name__)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class RunText:
    """What all texts of a run have in common."""

    template: CompiledTemplate
    values: dict[str, Any] = field(repr=False)
    signature: str
    class_: str


class Dispatcher:
    """One worker's dispatcher.

    `stopping()` is asked between groups. `new_token`, `random` (0 to 1) and `clock` (seconds, running while the
    machine sleeps) are passed in so that tests can hold them still.
    """

    def __init__(
        self,
        database: Database,
        gateways: Gateways,
        *,
        stopping: Callable[[], bool] = lambda: False,
        new_token: Callable[[], str] = lambda: str(uuid.uuid4()),
        random: Callable[[], float] = random.random,
        clock: Callable[[], float] = boot_clock,
    ) -> None:
        self._database = database
        self._gateways = gateways
        self._stopping = stopping
        self._new_token = new_token
        self._random = random
        self._clock = clock
        self._run_text = lru_cache(maxsize=256)(self._load_run_text)

    def drain(self, job_s: float = JOB_S) -> bool:
        """Hand over what is due, a group of every runnable run in turn, for at most `job_s` seconds.

        Returns whether work was left.
        """
        end = self._clock() + job_s
        while runs := self.runnable():
            for claim in runs:
                if self._stopping() or self._clock() >= end:
                    return True
                self.hand_over_group(claim)
        return False

    def runnable(self) -> list[Claim]:
        """A fresh claim for every run with rows that are due and an account that may take them."""
        with self._database.transaction() as connection:
            rows = RUNNABLE(connection).all()
        known = self._gateways.config.accounts
        return [Claim(row.id, row.month, row.account_id, self._new_token()) for row in rows if row.account in known]

    def hand_over_group(self, claim: Claim) -> int:
        """Claim one group of the run and take it as far as it goes; returns how many texts were handed over."""
        adapter, size = self._account(claim.account_id)
        with self._database.transaction() as connection:
            rows = handover.claim(connection, claim, size, CLAIM_LEASE_S)
        if not rows:
            return 0
        rendered = self._render(claim, rows)
        passed, committed_at = self._pass_gate(claim, rendered, adapter)
        if not passed:
            return 0
        if self._clock() - committed_at >= FRESH_S:
            log.warning("run %s: withdrew %s texts: the gate's commit is too long ago", claim.run_id, len(passed))
            self._until_written(lambda connection: handover.withdraw(connection, claim))
            return 0
        self._record(claim.month, self._submit(adapter, claim.month, claim.token, passed))
        return len(passed)

    def _record(self, month: date, outcomes: Sequence[Recorded]) -> None:
        try:
            self._until_written(lambda connection: handover.record_outcomes(connection, month, outcomes))
        except (DataError, IntegrityError) as error:
            if len(outcomes) > 1:  # one answer that cannot be kept does not take the others with it
                for outcome in outcomes:
                    self._record(month, [outcome])
                return
            log.error("an outcome cannot be kept and is unknown: %s", _first_line(error))
            plain = [Recorded(outcome.attempt_id, OutcomeKind.unknown) for outcome in outcomes]
            self._until_written(lambda connection: handover.record_outcomes(connection, month, plain))

    def _account(self, account_id: int) -> tuple[Adapter, int]:
        name = self._names().get(account_id) or self._names(fresh=True)[account_id]
        return self._gateways.adapter(name), self._gateways.group_size(name)

    _known_names: dict[int, str] | None = None

    def _names(self, *, fresh: bool = False) -> dict[int, str]:
        if self._known_names is None or fresh:
            with self._database.transaction() as connection:
                rows = connection.exec_driver_sql("SELECT id, name FROM gateway_accounts").all()
            self._known_names = {row.id: row.name for row in rows}
        return self._known_names

    def _load_run_text(self, run_id: int) -> RunText:
        with self._database.session() as session:
            run, version = session.execute(
                select(Run, TemplateVersion)
                .join(TemplateVersion, TemplateVersion.id == Run.template_version_id)
                .where(Run.id == run_id)
            ).one()
            return RunText(compiled(version.id, version.body), run.values, run.signature, run.class_)

    def _render(self, claim: Claim, rows: Iterable[Claimed]) -> list[Rendered]:
        """The final texts; a row whose text cannot be rendered is refused alone."""
        rendered: list[Rendered] = []
        errors: dict[int, str] = {}
        try:
            common = self._run_text(claim.run_id)
        except CannotRender as error:  # a template of before an upgrade that the allow-list refuses now
            errors = {row.id: str(error) for row in rows}
            rows = ()
        for row in rows:
            if row.text is not None and row.parts is not None:
                rendered.append(Rendered(row.id, row.text, row.parts))
                continue
            values = {**common.values, **row.values} if row.values else common.values
            try:
                composed = compose(common.template, values, common.signature, common.class_)
            except CannotRender as error:
                errors[row.id] = str(error)
            else:
                rendered.append(Rendered(row.id, composed.text, composed.parts))
        if errors:
            with self._database.transaction() as connection:
                handover.refuse_unrendered(connection, claim, errors)
        return rendered

    def _pass_gate(self, claim: Claim, rows: list[Rendered], adapter: Adapter) -> tuple[list[Passed], float]:
        """The rows that may be handed over now, and when the COMMIT that allowed it was sent."""
        lease_s = FRESH_S + adapter.capabilities.total_timeout_s + WRITING_S
        try:
            with self._database.transaction() as connection:
                passed = handover.pass_gate(connection, claim, rows, lease_s)
                committed_at = self._clock()
        except DBAPIError as error:
            # The answer to the COMMIT may be what was lost: nothing is handed over, and by its token all is taken back.
            log.warning("run %s: the gate gave no answer, withdrawing: %s", claim.run_id, _first_line(error))
            self._until_written(lambda connection: handover.withdraw(connection, claim))
            return [], 0.0
        if len(passed) < len(rows):
            self._release(claim, rows)
        return passed, committed_at

    def _release(self, claim: Claim, rows: list[Rendered]) -> None:
        try:
            with self._database.transaction() as connection:
                handover.release(connection, claim, [row.id for row in rows])
        except DBAPIError as error:
            # What passed must go on; what did not is still claimed, and its lease ends soon.
            log.warning("run %s: rows wait for their lease: %s", claim.run_id, _first_line(error))

    def _submit(self, adapter: Adapter, month: date, group: str, passed: list[Passed]) -> list[Recorded]:
        """Call the gateway; whatever it does, there is an outcome for every text."""
        numbers = {attempt_reference(month, row.attempt_id): row for row in passed}
        validity_s = max(1, int(min(row.validity_s for row in passed)))
        texts = [Text(reference, row.phone, row.text, row.parts) for reference, row in numbers.items()]
        nothing_taken = False
        try:
            answers = {outcome.reference: outcome for outcome in adapter.submit(Group(group, texts, validity_s))}
        except NotTaken as error:
            # Nobody's fault but the gateway's: it does not use up the tries of these texts; their validity ends them.
            nothing_taken = True
            answers = {
                reference: Outcome(reference, OutcomeKind.refused, error=ErrorClass.later, detail=str(error)[:200])
                for reference in numbers
            }
        except Exception as error:  # noqa: BLE001 - any other exception proves nothing, so nothing is sent again
            log.error("a hand-over ended in %s; its %s texts are unknown", type(error).__name__, len(texts))
            answers = {}
        return [
            self._recorded(row, answers.get(reference) or Outcome(reference, OutcomeKind.unknown), nothing_taken)
            for reference, row in numbers.items()
        ]

    def _recorded(self, row: Passed, outcome: Outcome, nothing_taken: bool) -> Recorded:
        kind, provider_id = outcome.kind, _clean(outcome.provider_id)
        if kind is OutcomeKind.accepted and not provider_id:
            kind = OutcomeKind.unknown  # nothing could tie a receipt to it
        number = min(row.number, MAX_ATTEMPTS - 1) if nothing_taken else row.number
        return Recorded(
            attempt_id=row.attempt_id,
            kind=kind,
            provider_id=provider_id,
            error=outcome.error.value if outcome.error else None,
            raw_code=_clean(outcome.raw_code),
            detail=_clean(outcome.detail),
            retry_after_s=retry_after(outcome, number, self._random),
        )

    def _until_written(self, write: Callable[[Connection], T]) -> T:
        """Try until PostgreSQL has it, and take no new work meanwhile: what a gateway said is known nowhere else."""
        pause_s = 0.1
        while True:
            try:
                with self._database.transaction() as connection:
                    return write(connection)
            except (DataError, IntegrityError):
                raise  # trying again changes nothing
            except DBAPIError as error:
                log.warning("outcomes cannot be written yet: %s", _first_line(error))
                time.sleep(pause_s)
                pause_s = min(2.0, pause_s * 2)


def _clean(said: str | None) -> str | None:
    """A provider's words as PostgreSQL can keep them: no NUL, no lone surrogate, not endless."""
    return None if said is None else said.replace("\0", "").encode("utf-8", "replace").decode()[:LONGEST_WORD]


def _first_line(error: DBAPIError) -> str:
    """PostgreSQL's own words, without the statement and its parameters: those hold phones and texts."""
    return str(error.orig).splitlines()[0] if str(error.orig) else type(error.orig).__name__
