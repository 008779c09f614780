"""Telling workers, once what a request did is committed, that there is something to do."""

from __future__ import annotations

from flask import Response, after_this_request

from sms_service import wake
from sms_service.web.context import current_context


def begin_after_commit() -> None:
    """Have a run that this request makes begun at once. Should nobody wake, the clock begins it within a second."""
    _wake_after_commit(wake.FREEZE)


def dispatch_after_commit() -> None:
    """Have a text that this request writes handed over at once. Should nobody wake, workers look by themselves."""
    _wake_after_commit(wake.DISPATCH)


def import_after_commit() -> None:
    """Have a worker check or apply an import at once. Should nobody wake, workers find it within two seconds."""
    _wake_after_commit(wake.IMPORT)


def export_after_commit() -> None:
    """Have a worker write an export at once. Should nobody wake, workers find it within two seconds."""
    _wake_after_commit(wake.EXPORT)


def _wake_after_commit(job: str) -> None:
    def wake_a_worker(answer: Response) -> Response:
        redis = current_context().redis
        if redis is not None:
            wake.wake_workers(redis, job)
        return answer

    after_this_request(wake_a_worker)
