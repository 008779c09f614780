"""Files brought in at once, within a test's own transaction: uploaded, checked and applied."""

from __future__ import annotations

from functools import partial
from typing import Any

from sqlalchemy.orm import Session

from sms_service.accounts.actors import SYSTEM, Actor
from sms_service.audience.import_work import bring_in
from sms_service.directory.checking import within_session
from sms_service.directory.import_models import Import


def bring(
    session: Session, kind: str, data: bytes | str, name: str = "file.csv", actor: Actor = SYSTEM, **given: Any
) -> Import:
    """The import of this file after all three steps."""
    content = data.encode() if isinstance(data, str) else data
    return bring_in(partial(within_session, session), actor, kind, content, name, **given)
