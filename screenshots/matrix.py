"""`python -m screenshots.matrix` writes into docs/console.md and docs/roles.md which role sees and does what, on pages
and through the API, as the code has it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from flask import Flask

from sms_service import console
from sms_service.accounts.permissions import PERMISSIONS, SYSTEM_ROLE, Permission
from sms_service.api import API_PREFIX, RESOURCES

DOCUMENT = Path(__file__).parents[1] / "docs" / "console.md"
API_DOCUMENT = DOCUMENT.with_name("roles.md")
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


def build_api_matrix() -> str:
    """A row for each route of the API: what it is for, and which roles it answers. A route without a permission is
    about the caller's own account.
    """
    app = Flask(__name__)
    for resource in RESOURCES:
        app.register_blueprint(resource, url_prefix=API_PREFIX)
    lines = [f"| Route | What it is for | {' | '.join(_ROLES)} |", f"|---|---|{'---|' * len(_ROLES)}"]
    for rule in sorted(app.url_map.iter_rules(), key=lambda rule: rule.rule):
        view_class: Any = getattr(app.view_functions[rule.endpoint], "view_class", None)
        for method in sorted({"GET", "POST", "PUT", "PATCH", "DELETE"} & set(rule.methods or ())) if view_class else ():
            view = getattr(view_class, method.lower())
            cells = " | ".join("yes" if _may(view, role) else "–" for role in _ROLES)
            shown = re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule.removeprefix(API_PREFIX))
            lines.append(f"| `{method} {shown}` | {_purpose(view)} | {cells} |")
    return "\n".join(lines)


def _purpose(view: Callable[..., Any]) -> str:
    return (view.__doc__ or "").strip().split("\n")[0].split("; ")[0].rstrip(".")


def _cell(views: dict[str, Callable[..., Any]], role: str) -> str:
    allowed = [word for method, word in _WORDS.items() if method in views and _may(views[method], role)]
    return ", ".join(allowed) or "–"


def _may(view: Callable[..., Any], role: str) -> bool:
    permission = getattr(view, "permission", None)
    return not isinstance(permission, Permission) or permission in PERMISSIONS[role]


if __name__ == "__main__":
    for document, matrix in ((DOCUMENT, build_matrix()), (API_DOCUMENT, build_api_matrix())):
        text = document.read_text(encoding="utf-8")
        written = MARKS.sub(lambda found, matrix=matrix: f"{found[1]}{matrix}\n<!-- end -->", text)  # type: ignore[misc]
        document.write_text(written, encoding="utf-8")
