"""Pages go out compressed: a full list is a tenth of its size on the wire, which phones notice.

Only what a GET shows. The answer to a POST may hold a whole phone or a first password beside words that somebody sent,
and the size of such a page, compressed, would tell about it (BREACH). The forms' tokens look different on every page.
"""

from __future__ import annotations

import gzip

from flask import Response, request

from sms_service.console.blueprint import blueprint

_SMALLEST = 1_000  # bytes: below it the packet on the wire is one either way
_LEVEL = 5


@blueprint.after_request
def compress_page(response: Response) -> Response:
    """The page as gzip, for browsers that take it."""
    if (
        request.method != "GET"
        or response.mimetype != "text/html"
        or response.direct_passthrough
        or "Content-Encoding" in response.headers
    ):
        return response
    response.headers.add("Vary", "Accept-Encoding")
    content = response.get_data()
    if len(content) >= _SMALLEST and request.accept_encodings["gzip"] > 0:
        response.set_data(gzip.compress(content, _LEVEL, mtime=0))
        response.headers["Content-Encoding"] = "gzip"
    return response
