"""`python -m screenshots.matrix` writes into docs/console.md which role sees and does what, as the code has it."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from flask import Flask

from sms_service import console
from sms_service.accounts.permissions import PERMISSIONS, SYSTEM_ROLE

DOCUMENT = Path(__file__).parents[1] / "docs" / "console.md"
MARKS = re.compile(r"(<!-- generated: matrix -->\n)(.*?)(\n?<!-- end -->)", re.DOTALL)
_ROLES = [role for role in PERMISSIONS if role != SYSTEM_ROLE]
_WORDS = {"GET": "sees", "POST": "acts"}
_NO_PAGES = {"console.serve_asset", "console.show_nothing"}


def build_matrix() -> str:
    """A row for each address: what it is for, and whether a role sees it (GET) and acts on it (POST)."""
    app = Flask(__name__)
    app.register_blueprint(console.blueprint)
    rows: dict[str, dict[str, Callable[..., Any]]] = {}
    for rule in app.url_map.iter_rules():
        if rule.endpoint.startswith("console.") and rule.endpoint not in _NO_PAGES:
            for method in set(_WORDS) & set(rule.methods or ()):
                rows.setdefault(rule.rule, {})[method] = app.view_functions[rule.endpoint]
    lines = [f"| Address | What it is for | {' | '.join(_ROLES)} |", f"|---|---|{'---|' * len(_ROLES)}"]
    for address, views in sorted(rows.items()):
        view = views.get("GET") or views["POST"]
        shown = re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", address)
        cells = " | ".join(_cell(views, role) for role in _ROLES)
        lines.append(f"| `{shown}` | {_purpose(view)} | {cells} |")
    return "\n".join(lines)


def _purpose(view: Callable[..., Any]) -> str:
    return (view.__doc__ or "").strip().split("\n")[0].split("; ")[0].rstrip(".")


def _cell(views: dict[str, Callable[..., Any]], role: str) -> str:
    allowed = [word for method, word in _WORDS.items() if method in views and _may(views[method], role)]
    return ", ".join(allowed) or "–"


def _may(view: Callable[..., Any], role: str) -> bool:
    permission = getattr(view, "permission", None)
    return permission is None or permission in PERMISSIONS[role]


if __name__ == "__main__":
    text = DOCUMENT.read_text(encoding="utf-8")
    DOCUMENT.write_text(MARKS.sub(lambda found: f"{found[1]}{build_matrix()}\n<!-- end -->", text), encoding="utf-8")
