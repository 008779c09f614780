"""The text that confirms a stop, or that texts come again: what it was understood as, and how to change one's mind."""

from __future__ import annotations

from sms_service.accounts.models import LANGUAGES
from sms_service.audience.covering import TextKind
from sms_service.catalogues import get_catalogue
from sms_service.content.classes import UNSUBSCRIBE_LINE
from sms_service.directory.models import Unit
from sms_service.ledger.models import Run
from sms_service.replies.answering import NewAnswer
from sms_service.replies.models import ReplyRow
from sms_service.said import Said, as_said, say, translate
from sms_service.vocabulary import TextClass

_confirms = True  # each process sets it once


def switch_confirmations(on: bool) -> None:
    """A process that reads replies calls this once when it starts: whether stops are confirmed by a text."""
    global _confirms
    _confirms = on


def confirm_stop(
    reply: ReplyRow, run: Run, unit: Unit, answered: str | None, kind: TextKind, *, resumes: bool
) -> NewAnswer | None:
    """The text, in the name of the unit whose text the reply answers, of that run: `answered`. That of a stop passes
    opt-outs. None where confirmations are switched off.
    """
    if not _confirms:
        return None
    return NewAnswer(
        reply,
        translate(_tell(kind, resumes=resumes), get_catalogue(LANGUAGES[0])),
        signature=run.signature,
        route_id=run.route_id,
        unit=unit,
        answered=None if run.hides_text else answered,
        passes_opt_outs=not resumes,
    )


def _tell(kind: TextKind, *, resumes: bool) -> Said:
    if resumes:
        return say("Our texts go to you again. {line}", line=UNSUBSCRIBE_LINE)
    if kind.class_ is None:
        return as_said("No texts go to you from us any more. Send 恢复 to get them.")
    what = TextClass(kind.class_)
    if kind.signature is None:
        return say("No texts of the class {what} go to you from anybody any more. Send 恢复 to get them.", what=what)
    return say("No texts of the class {what} go to you from us any more. Send 恢复 to get them.", what=what)
