"""A client of the whole application, and callers with roles, for the tests of the directory's resources."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from typing import Any

from factories import make_account
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from sms_service.accounts import tokens
from sms_service.accounts.actors import SYSTEM
from sms_service.directory.models import Unit


class Caller:
    """Calls the API as a new account that holds `roles` on `unit`."""

    def __init__(self, client: FlaskClient, session: Session, unit: Unit, *roles: str) -> None:
        account = make_account(session, unit, roles=roles)
        now = datetime.now(UTC)
        _, secret = tokens.issue_token(session, SYSTEM, account.id, "test", now=now, random_bytes=secrets.token_bytes)
        session.commit()
        self.account_id = account.id
        self._client, self._headers = client, {"Authorization": f"Bearer {secret}"}

    def call(self, method: str, path: str, **kw: Any) -> Any:
        """The response to a request below /api/v1."""
        headers = {**self._headers, **kw.pop("headers", {})}
        return self._client.open(f"/api/v1{path}", method=method, headers=headers, **kw)

    def get(self, path: str, **query: Any) -> Any:
        """The response to a GET."""
        return self.call("GET", path, query_string=query or None)

    def post(self, path: str, **kw: Any) -> Any:
        """The response to a POST."""
        return self.call("POST", path, **kw)

    def patch(self, path: str, **body: Any) -> Any:
        """The response to a PATCH with a JSON body."""
        return self.call("PATCH", path, json=body)
