"""The web process: `gunicorn wsgi:app`. It starts only if every hand-written statement fits the database."""

import sys

from flask import Flask
from sqlalchemy.exc import OperationalError, ProgrammingError

from sms_service import callbacks, console, logs, settings
from sms_service.api import create_app
from sms_service.catalogues import BadCatalogue
from sms_service.controls.accounts import synchronise_gateways
from sms_service.db.statements import check_all
from sms_service.embedded import EngineError, with_running_engines
from sms_service.gateways.config import BadGatewayConfig
from sms_service.web.context import EXTENSION


def start() -> Flask:
    """The application with its callbacks and pages. A fault that an operator can mend ends the process with one
    line.
    """
    try:
        configuration = with_running_engines(settings.load_settings())
        logs.configure_logs(configuration.log_level)
        application = create_app(configuration, doors=(callbacks.blueprint, console.blueprint))
        context = application.extensions[EXTENSION]
        database = context.database
        with database.transaction() as connection:
            check_all(connection)
        with database.session() as session:
            synchronise_gateways(session, context.gateways)  # before the first receipt can come
    except (settings.BadSetting, BadCatalogue, EngineError, BadGatewayConfig) as error:
        sys.exit(str(error))
    except OperationalError as error:
        sys.exit(f"PostgreSQL cannot be used: {' '.join(str(error.orig).split())}")
    except ProgrammingError as error:
        reason = " ".join(str(error.orig).split())
        sys.exit(f"a statement does not fit the database ({reason}); run: python -m sms_service migrate")
    database.close()  # connections do not survive gunicorn's fork; each worker opens its own
    return application


app = start()
