"""Chromium on the real web application: what people see. Without Chromium these tests are skipped and say so."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
from flask import Flask
from sqlalchemy.orm import Session
from werkzeug.serving import make_server

from sms_service import callbacks, console
from sms_service.accounts import sessions
from sms_service.directory.models import Unit
from tests.applications import lend_app
from tests.console.campaigning import make_branch, make_invitation, write_draft
from tests.factories import make_actor

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
PHONE, DESK, NARROW = (390, 844), (1280, 800), (320, 640)
_LOCALES = {"zh": "zh-CN", "en": "en-GB"}


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """The browser: Debian's, or the one that CHROMIUM names."""
    path = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    if path is None:
        pytest.skip("Chromium is not here: apt-get install chromium fonts-noto-cjk, or name one in CHROMIUM")
    with playwright.sync_playwright() as engine:
        browser = engine.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def app(database, tmp_path) -> Flask:
    return lend_app({}, tmp_path, database, (callbacks.blueprint, console.blueprint))


@pytest.fixture
def address(app: Flask) -> Iterator[str]:
    """Where the application is served, by threads of this process."""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()


@dataclass
class Tab:
    """A page of the browser and what went wrong on it."""

    page: Any
    address: str
    faults: list[str] = field(default_factory=list)

    def go(self, path: str) -> Any:
        """Open a path and return the answer."""
        return self.page.goto(self.address + path, wait_until="load")

    def is_too_wide(self) -> bool:
        """Whether the page has to be scrolled sideways."""
        return bool(self.page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"))


@pytest.fixture
def open_tab(chromium: Any, address: str) -> Iterator[Callable[..., Tab]]:
    """Opens a tab: `open_tab(size=PHONE, language="zh", javascript=True, secret=None)`.

    Whatever the page asks of another server, whatever its policy refuses and whatever its console reports is a fault;
    at the end there may be none.
    """
    contexts, tabs = [], []

    def make(
        size: tuple[int, int] = DESK, language: str = "zh", javascript: bool = True, secret: str | None = None
    ) -> Tab:
        context = chromium.new_context(
            viewport={"width": size[0], "height": size[1]},
            locale=_LOCALES[language],
            timezone_id="Asia/Shanghai",
            java_script_enabled=javascript,
        )
        context.set_default_timeout(10_000)
        contexts.append(context)
        if secret is not None:
            context.add_cookies([{"name": "sms", "value": secret, "url": address}])
        tab = Tab(context.new_page(), address)
        tabs.append(tab)
        tab.page.on("request", lambda request: _note_elsewhere(tab, request.url))
        tab.page.on("console", lambda said: _note_console(tab, said))
        tab.page.on("pageerror", lambda error: tab.faults.append(f"error: {error}"))
        return tab

    yield make
    for context in contexts:
        context.close()
    assert [fault for tab in tabs for fault in tab.faults] == []


@pytest.fixture
def branch(session: Session) -> Unit:
    """A branch of 28 whose secretary has sent an invitation before, to a room that its form offers again."""
    branch = make_branch(session, people=28)
    version = make_invitation(session, branch)
    write_draft(session, branch, version_id=version.id, name="上次", values={"地点": "二楼会议室"})
    session.commit()
    return branch


@pytest.fixture
def begin(app: Flask, session: Session) -> Callable[..., str]:
    """Begins a session of an account with these roles on a unit; returns its cookie's secret."""

    def make(unit: Unit, *roles: str, language: str | None = None, login: str | None = None) -> str:
        actor = make_actor(session, unit, roles, login=login)
        sessions.set_preferences(session, actor.account_id, language=language, large_text=False)
        secret = sessions.begin_session(
            session, actor.account_id, user_agent="Chromium", now=datetime.now(UTC), random_bytes=os.urandom
        )
        session.commit()
        return secret

    return make


def _note_elsewhere(tab: Tab, url: str) -> None:
    if not url.startswith((tab.address, "data:", "blob:")):
        tab.faults.append(f"asks elsewhere: {url}")


def _note_console(tab: Tab, said: Any) -> None:
    # An answer that is an error on purpose, such as 422, is named here too.
    if said.type in ("error", "warning") and "the server responded with a status of" not in said.text:
        tab.faults.append(f"{said.type}: {said.text}")
