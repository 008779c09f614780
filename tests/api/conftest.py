"""The whole web application, with the doors that wsgi.py gives it."""

from __future__ import annotations

import pytest

from sms_service import callbacks, settings
from sms_service.api import create_app
from tests.api.campaign_client import make_place
from tests.applications import lend_app
from tests.channels.chat import KEY


@pytest.fixture
def make_app(database, tmp_path):
    """Makes the application with the settings given as environment variables and `create_app`'s own arguments; one that
    other tests have used before if there are no such settings. `fresh`: not such a one.
    """

    def make(environ=None, *, fresh=False, **kw):
        doors = (callbacks.blueprint,)
        if not environ and not fresh:
            return lend_app({"CHANNELS_KEY": KEY}, tmp_path, database, doors, **kw)
        return create_app(
            settings.load_settings({"CHANNELS_KEY": KEY, **(environ or {})}, tmp_path), database, doors=doors, **kw
        )

    return make


@pytest.fixture
def client(database, tmp_path):
    """Somebody who calls the API alone, without the other doors."""
    return lend_app({}, tmp_path, database).test_client()


@pytest.fixture
def place(database, tmp_path):
    """Two districts with their callers."""
    return make_place(database, tmp_path)
