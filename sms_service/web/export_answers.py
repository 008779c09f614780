"""The file of an export as an answer: whole, or the part that a download that broke off still needs."""

from __future__ import annotations

import mimetypes

from flask import Response, request, send_file
from sqlalchemy.orm import Session

from sms_service.accounts.actors import Actor
from sms_service.errors import Conflict
from sms_service.reports.exports import open_export
from sms_service.said import say
from sms_service.web.context import current_context


def send_export(session: Session, actor: Actor, export_id: int) -> Response:
    """The file, with its digest as ETag, so that a download can go on where it broke off (`Range`, `If-Range`).

    Raises NotFound, Forbidden or Conflict.
    """
    ranges = request.range.ranges if request.range is not None else []
    export = open_export(session, actor, export_id, ranges[0][0] if len(ranges) == 1 else 0)
    assert export.digest is not None, "a check of the table"
    try:
        return send_file(
            current_context().settings.exports_dir / export.file_name,
            mimetype=mimetypes.types_map.get(f".{export.format}", "application/octet-stream"),
            as_attachment=True,
            download_name=export.download_name,
            conditional=True,
            etag=export.digest.hex(),
        )
    except FileNotFoundError:
        message = "the file of export {id} is not on this machine; EXPORTS_DIR must be one folder for all processes"
        raise Conflict(say(message, id=export_id)) from None
