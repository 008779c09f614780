"""The whole web application and people who are logged in to its pages."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from sms_service import callbacks, console
from sms_service.accounts import sessions
from sms_service.directory.models import Unit
from tests.applications import lend_app
from tests.channels.chat import KEY
from tests.factories import make_actor, make_unit

SAME_ORIGIN = {"Sec-Fetch-Site": "same-origin"}


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = datetime.now(UTC)

    def __call__(self) -> datetime:
        return self.now


class Visitor:
    """A browser with a log-in. `post` takes the hidden fields from the page that `form` names."""

    def __init__(self, client: FlaskClient, login: str, account_id: int) -> None:
        self.client, self.login, self.account_id = client, login, account_id

    def get(self, path: str, **kw: Any) -> TestResponse:
        return self.client.get(path, **kw)

    def fields(self, path: str) -> dict[str, str]:
        """The hidden fields of the forms on a page; those of the last form where several have the same."""
        page = self.get(path).get_data(as_text=True)
        return dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)">', page))

    def post(self, path: str, form: str = "/me", data: dict[str, Any] | None = None, **kw: Any) -> TestResponse:
        """Send the form of the page `form`, with its hidden fields and `data`."""
        fields = {name: value for name, value in self.fields(form).items() if name.startswith("_")}
        return self.client.post(path, data={**fields, **(data or {})}, headers=SAME_ORIGIN, **kw)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def app(database, tmp_path, clock) -> Flask:
    """The application with this test's engines and clock."""
    doors = (callbacks.blueprint, console.blueprint)
    return lend_app({"CHANNELS_KEY": KEY}, tmp_path, database, doors, clock=clock)


@pytest.fixture
def log_in(app: Flask, session: Session, clock: Clock) -> Callable[..., Visitor]:
    """Logs an account with these roles on a unit in: `log_in(unit, "officer", language="zh")`."""

    def make(unit: Unit, *roles: str, login: str | None = None, language: str = "en") -> Visitor:
        actor = make_actor(session, unit, roles or ("officer",), login=login)
        sessions.set_preferences(session, actor.account_id, language=language, large_text=False)
        secret = sessions.begin_session(
            session,
            actor.account_id,
            user_agent="a browser",
            now=clock(),
            random_bytes=app.extensions["sms_service"].random_bytes,
        )
        session.commit()
        client = app.test_client()
        client.set_cookie("sms", secret)
        return Visitor(client, actor.login, actor.account_id)

    return make


@pytest.fixture
def city(session: Session) -> Unit:
    """The top of a tree."""
    city = make_unit(session, name="云州市")
    session.commit()
    return city


@pytest.fixture
def district(session: Session, city: Unit) -> Unit:
    """A district of the city."""
    district = make_unit(session, name="城东区", parent=city)
    session.commit()
    return district
