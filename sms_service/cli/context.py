"""What a command works with: the installation's settings and its database, embedded or not."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import click
from sqlalchemy.orm import Session

import sms_service.tables  # noqa: F401 - every room's tables, so that foreign keys resolve
from sms_service.audit.origin import SHELL, come_from
from sms_service.db.engine import Database
from sms_service.embedded import with_running_engines
from sms_service.gateways.config import BadGatewayConfig, GatewayConfig
from sms_service.gateways.registry import Gateways
from sms_service.ops.errors import OperationError
from sms_service.ops.variables import service_variables
from sms_service.settings import Settings, load_settings


def running_settings() -> Settings:
    """The settings with every engine named. Raises EngineError if the embedded ones are needed and do not run."""
    return with_running_engines(load_settings())


def read_gateways(settings: Settings) -> Gateways:
    """The accounts of gateways.toml, with the variables that the service's processes have. None where it cannot be
    used, which is said: what needs no gateway can be done all the same.
    """
    try:
        return Gateways.from_file(settings.gateways_file, settings.public_url, service_variables(settings))
    except (BadGatewayConfig, OperationError) as error:
        click.echo(f"prices and names of gateways are not known, since {error}", err=True)
        return Gateways(GatewayConfig({}, {}), "")


@contextmanager
def open_database() -> Iterator[Database]:
    """The installation's database, for as long as the command runs."""
    url = running_settings().database_url
    assert url is not None, "with_running_engines names it"
    database = Database(url, pool_size=1, application_name="sms_service cli")
    try:
        with come_from(SHELL):
            yield database
    finally:
        database.close()


@contextmanager
def open_session() -> Iterator[Session]:
    """One session in one transaction, committed at the end."""
    with open_database() as database, database.session() as session:
        yield session
