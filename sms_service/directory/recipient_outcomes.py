"""Whom the rows of a list for one campaign mean, for the dry run and the taking; and the guests that it brings."""

from __future__ import annotations

from sqlalchemy.orm import Session

from sms_service.accounts.actors import SYSTEM, load_actor
from sms_service.accounts.permissions import Permission
from sms_service.db.statements import Statement
from sms_service.directory.import_models import Import
from sms_service.directory.importing import scope_path_of
from sms_service.directory.recipient_columns import RECIPIENT_COLUMNS
from sms_service.errors import ServiceError

_decide_recipients = Statement(__file__, "decide_recipients")
_find_recipient_problems = Statement(__file__, "find_recipient_problems")
_create_guests = Statement(__file__, "create_guests")

MOST_CANDIDATES = 20  # people of whom somebody has to choose one


def decide_recipients(session: Session, record: Import) -> None:
    """Write whom each staged row means: `unchanged` is a person of the register, `created` a guest."""
    _decide_recipients(
        session.connection(),
        import_id=record.id,
        scope=scope_path_of(session, record),
        may_bring_guests=may_bring_guests(session, record),
        most_candidates=MOST_CANDIDATES,
    )


def note_recipients(session: Session, record: Import) -> None:
    """Write what was found in these rows besides."""
    titles = {f"{name}_column": RECIPIENT_COLUMNS[name].header for name in ("number", "name", "phone")}
    _find_recipient_problems(session.connection(), import_id=record.id, most_candidates=MOST_CANDIDATES, **titles)


def may_bring_guests(session: Session, record: Import) -> bool:
    """Whether who uploaded the list may text people outside the register."""
    try:
        actor = SYSTEM if record.account_id is None else load_actor(session, record.account_id)
    except ServiceError:  # the account is disabled meanwhile
        return False
    return actor.can(Permission.text_guests, scope_path_of(session, record))


def create_guests(session: Session, record: Import) -> None:
    """Make the guests whose rows have been given their ids."""
    _create_guests(session.connection(), import_id=record.id, unit_id=record.unit_id)
