"""Lists for one campaign in tests: a file brought in at once, within the test's own transaction."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from sms_service.accounts.actors import SYSTEM, Actor
from sms_service.audience.list_models import RecipientList
from sms_service.directory.import_models import Import
from sms_service.directory.models import Unit
from tests.bringing import bring, check_file


def check_list(session: Session, unit: Unit, text: str, actor: Actor = SYSTEM, name: str = "名单.csv") -> Import:
    """The import of the list after its check."""
    return check_file(session, "recipients", text, name, actor, unit_id=unit.id)


def bring_list(session: Session, unit: Unit, text: str, actor: Actor = SYSTEM, name: str = "名单.csv") -> RecipientList:
    """The list of a file."""
    done = bring(session, "recipients", text, name, actor, unit_id=unit.id)
    assert done.state == "applied", done.said_notice
    return session.scalars(select(RecipientList).where(RecipientList.import_id == done.id)).one()
