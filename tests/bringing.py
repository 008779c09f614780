"""Files brought in at once, within a test's own transaction: uploaded, checked and applied, or step by step."""

from __future__ import annotations

from functools import partial
from typing import Any

from sqlalchemy.orm import Session

from sms_service.accounts.actors import SYSTEM, Actor
from sms_service.audience.import_work import bring_in, work_on_import
from sms_service.directory import drafts
from sms_service.directory.checking import within_session
from sms_service.directory.import_models import Import


def bring(
    session: Session, kind: str, data: bytes | str, name: str = "file.csv", actor: Actor = SYSTEM, **given: Any
) -> Import:
    """The import of this file after all three steps."""
    content = data.encode() if isinstance(data, str) else data
    return bring_in(partial(within_session, session), actor, kind, content, name, **given)


def check_file(
    session: Session, kind: str, data: bytes | str, name: str = "file.csv", actor: Actor = SYSTEM, **given: Any
) -> Import:
    """The import of this file after its check."""
    content = data.encode() if isinstance(data, str) else data
    return work(session, drafts.upload_import(session, actor, kind, content, name, **given))


def work(session: Session, record: Import) -> Import:
    """The import after a worker's turn."""
    work_on_import(partial(within_session, session), record.id)
    session.refresh(record)
    return record
