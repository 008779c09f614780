"""One of everything that an address can name, and a valid body for every route that takes one.

The tests in test_every_route.py walk all routes with these. A new route's parameters and bodies are added here.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from factories import make_account, make_person, make_segment, make_template
from sqlalchemy import select
from sqlalchemy.orm import Session

from sms_service.accounts import tokens
from sms_service.accounts.actors import SYSTEM
from sms_service.accounts.models import RoleGrant
from sms_service.directory.models import Import, Unit


def make_samples(session: Session, unit: Unit) -> dict[str, int]:
    """The ids, by parameter name, of new things that belong to `unit`."""
    account = make_account(session, unit)
    now = datetime.now(UTC)
    token, _ = tokens.issue(session, SYSTEM, account.id, "sample", now=now, random_bytes=secrets.token_bytes)
    read_in = Import(
        unit_id=unit.id,
        kind="people",
        file_name="党员.csv",
        digest=b"",
        rows=0,
        created=0,
        changed=0,
        unchanged=0,
        refused=0,
    )
    session.add(read_in)
    session.flush()
    return {
        "unit_id": unit.id,
        "person_id": make_person(session, unit).id,
        "account_id": account.id,
        "role_id": session.scalars(select(RoleGrant.id).filter_by(account_id=account.id)).one(),
        "token_id": token.id,
        "import_id": read_in.id,
        "segment_id": make_segment(session, unit, {"everyone": True}).id,
        "template_id": make_template(session, unit).template_id,
    }


EVERYONE = {"everyone": True}
# By method and rule: a body that is right in every respect, made from the ids of `make_samples`.
BODIES: dict[str, Callable[[dict[str, int]], dict[str, Any]]] = {
    "POST /accounts": lambda ids: {"login": "intruder", "name": "甲", "unit_id": ids["unit_id"]},
    "PATCH /accounts/<int:account_id>": lambda ids: {"disabled": True},
    "POST /accounts/<int:account_id>/roles": lambda ids: {"role": "auditor", "unit_id": ids["unit_id"]},
    "POST /people": lambda ids: {"name": "乙", "unit_id": ids["unit_id"]},
    "PATCH /people/<int:person_id>": lambda ids: {"name": "丙"},
    "POST /segments": lambda ids: {"name": "全体", "unit_id": ids["unit_id"], "rule": EVERYONE},
    "PATCH /segments/<int:segment_id>": lambda ids: {"name": "别名"},
    "POST /segments/preview": lambda ids: {"unit_id": ids["unit_id"], "rule": EVERYONE},
    "POST /suppressions": lambda ids: {"person_id": ids["person_id"]},
    "POST /suppressions/lift": lambda ids: {"person_id": ids["person_id"], "why": "本人来电"},
    "POST /templates": lambda ids: {"name": "提醒", "unit_id": ids["unit_id"], "class": "notice", "body": "您好。"},
    "POST /templates/<int:template_id>/versions": lambda ids: {"body": "您好！"},
    "POST /templates/<int:template_id>/preview": lambda ids: {"signature": "云州先锋", "recipients": [{}]},
    "POST /templates/preview": lambda ids: {
        "signature": "云州先锋",
        "class": "notice",
        "body": "您好，{{ name }}。",
        "unit_id": ids["unit_id"],
    },
    "POST /units": lambda ids: {"code": "99", "name": "某支部", "level": "branch", "parent_id": ids["unit_id"]},
    "PATCH /units/<int:unit_id>": lambda ids: {"name": "改名"},
}
# The same for the routes that take a form.
FORMS: dict[str, Callable[[dict[str, int]], dict[str, Any]]] = {
    "POST /imports": lambda ids: {"kind": "people", "unit_id": ids["unit_id"]},
}
# Queries that name something outside, for lists without `unit`.
QUERIES: dict[str, Callable[[dict[str, int]], dict[str, Any]]] = {
    "GET /tokens": lambda ids: {"account": ids["account_id"]},
}
