"""Stylesheets and scripts: served under an address that holds their hash, so that a browser keeps them for ever."""

from __future__ import annotations

import gzip
import hashlib
import mimetypes
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from flask import Response, request, url_for
from werkzeug.exceptions import NotFound

from sms_service.console.blueprint import blueprint
from sms_service.web.statement_papers import STYLES

STATIC = Path(__file__).with_name("static")
_SERVED = {".css", ".js", ".svg", ".png"}
_FOR_EVER = "public, max-age=31536000, immutable"


@dataclass(frozen=True, slots=True)
class Asset:
    """A file as it goes out; `hashed` is its name with the hash of its content."""

    hashed: str
    content: bytes
    zipped: bytes
    media_type: str


@cache
def read_assets() -> dict[str, Asset]:
    """Every file that pages load, by its name under `static/`, and the rules of what is printed."""
    files = {path.relative_to(STATIC).as_posix(): path for path in STATIC.rglob("*")} | {STYLES.name: STYLES}
    found = {}
    for name, path in sorted(files.items()):
        if path.suffix in _SERVED:
            content = path.read_bytes()
            digest = hashlib.sha256(content).hexdigest()[:12]
            media_type = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
            hashed = f"{path.stem}.{digest}{path.suffix}"
            found[name] = Asset(hashed, content, gzip.compress(content, 9), media_type)
    return found


def asset_url(name: str) -> str:
    """The address of a file under `static/`. Raises KeyError where there is none."""
    return url_for("console.serve_asset", hashed=read_assets()[name].hashed)


@blueprint.get("/assets/<hashed>")
def serve_asset(hashed: str) -> Response:
    """A file by its hashed name; without a log-in, since the log-in page needs them too."""
    asset = next((asset for asset in read_assets().values() if asset.hashed == hashed), None)
    if asset is None:
        raise NotFound
    zipped = request.accept_encodings["gzip"] > 0
    response = Response(asset.zipped if zipped else asset.content, content_type=asset.media_type)
    response.headers.update({"Cache-Control": _FOR_EVER, "Vary": "Accept-Encoding"})
    if zipped:
        response.headers["Content-Encoding"] = "gzip"
    return response
