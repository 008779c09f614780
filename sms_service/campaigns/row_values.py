"""Texts that take values from the rows of a list: what a campaign needs for them when it is saved."""

from __future__ import annotations

from sqlalchemy.orm import Session

from sms_service.audience.listed import find_row_faults, is_of_row
from sms_service.audience.nesting import write_out_now
from sms_service.content.models import TemplateVersion
from sms_service.errors import Invalid
from sms_service.said import say


def require_rows(session: Session, version: TemplateVersion, segment_id: int, path: str) -> None:
    """Refuse a segment for the unit at `path` of which no list can fill what the text takes from one.

    Raises Invalid (`segment_id`) with the reason and the remedy.
    """
    names = [name for name in version.variables if is_of_row(name)]
    if not names:
        return
    rule = write_out_now(session, {"segment": segment_id}, path).rule
    for fault in find_row_faults(session, rule, names):
        reason = say("{text}; {remedy}", text=fault.text, remedy=fault.remedy)
        raise Invalid("segment_id", segment_id, reason)
