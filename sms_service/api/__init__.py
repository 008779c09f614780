"""The admin API: `create_app` makes the web application; one module per resource."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

import flask
from flask import Flask
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.routing import IntegerConverter

import sms_service.tables  # noqa: F401 - every room's tables, so that foreign keys resolve
from sms_service.accounts.models import LANGUAGES
from sms_service.api import (
    accounts,
    approval_rules,
    bindings,
    calendar_days,
    calendar_reading,
    campaigns,
    caps,
    channel_posts,
    channels,
    closing,
    comparison,
    contacts,
    counts,
    definitions,
    delegations,
    documentation,
    events,
    exports,
    findings,
    gateway_accounts,
    health,
    import_rows,
    import_vanished,
    imports,
    inbox,
    logins,
    lost_checks,
    messages,
    number_histories,
    operations,
    outlook,
    own_texts,
    people,
    personal,
    previews,
    problems,
    progress,
    pushes,
    questions,
    quiet_days,
    quiz_bank,
    quiz_imports,
    quiz_results,
    quotas,
    receipts,
    recipient_lists,
    reference_files,
    reference_lists,
    replies,
    resending,
    reviews,
    rules,
    runs,
    schedules,
    seals,
    segments,
    series,
    series_reading,
    signatures,
    statements,
    stops,
    suppressions,
    targets,
    tasks,
    template_categories,
    templates,
    timelines,
    tokens,
    trail,
    unit_caps,
    units,
    watching,
    webhooks,
    word_lists,
)
from sms_service.catalogues import get_catalogue
from sms_service.db.engine import Database
from sms_service.replies.answering import limit_answers
from sms_service.settings import BadSetting, Settings
from sms_service.web import guard, limits
from sms_service.web.bodies import LARGEST_FILE
from sms_service.web.context import EXTENSION, Context
from sms_service.web.origin import register_origin
from sms_service.web.schemas import MAX_ID

API_PREFIX = "/api/v1"
CONNECTIONS = 14  # and as many again for a moment: no thread of ops/web_worker.py waits for one that another holds
LONGEST_STATEMENT_S = 30  # no question of a request may hold a connection and a thread for longer

RESOURCES = (
    tokens.blueprint,
    accounts.blueprint,
    logins.blueprint,
    units.blueprint,
    closing.blueprint,
    people.blueprint,
    personal.blueprint,
    contacts.blueprint,
    inbox.blueprint,
    lost_checks.blueprint,
    imports.blueprint,
    import_rows.blueprint,
    import_vanished.blueprint,
    segments.blueprint,
    rules.blueprint,
    recipient_lists.blueprint,
    suppressions.blueprint,
    templates.blueprint,
    template_categories.blueprint,
    previews.blueprint,
    bindings.blueprint,
    word_lists.blueprint,
    signatures.blueprint,
    reference_lists.blueprint,
    reference_files.blueprint,
    quiz_bank.blueprint,
    quiz_imports.blueprint,
    quiz_results.blueprint,
    campaigns.blueprint,
    outlook.blueprint,
    own_texts.blueprint,
    pushes.blueprint,
    findings.blueprint,
    reviews.blueprint,
    channels.blueprint,
    webhooks.blueprint,
    channel_posts.blueprint,
    exports.blueprint,
    runs.blueprint,
    schedules.blueprint,
    events.blueprint,
    progress.blueprint,
    series.blueprint,
    series_reading.blueprint,
    watching.blueprint,
    messages.blueprint,
    timelines.blueprint,
    number_histories.blueprint,
    resending.blueprint,
    counts.blueprint,
    comparison.blueprint,
    definitions.blueprint,
    seals.blueprint,
    statements.blueprint,
    stops.blueprint,
    approval_rules.blueprint,
    delegations.blueprint,
    quiet_days.blueprint,
    calendar_days.blueprint,
    calendar_reading.blueprint,
    quotas.blueprint,
    targets.blueprint,
    unit_caps.blueprint,
    caps.blueprint,
    gateway_accounts.blueprint,
    operations.blueprint,
    replies.blueprint,
    questions.blueprint,
    receipts.blueprint,
    tasks.blueprint,
    trail.blueprint,
)  # fmt: skip


class _IdConverter(IntegerConverter):
    """Numbers in addresses are ids: what no row can have is not found, instead of an error of the database."""

    regex = "[0-9]{1,19}"

    def __init__(self, map: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(map, *args, **{"min": 1, "max": MAX_ID, **kwargs})


def create_app(
    settings: Settings,
    database: Database | None = None,
    *,
    doors: Iterable[flask.Blueprint] = (),
    clock: Callable[[], datetime] | None = None,
    random_bytes: Callable[[int], bytes] | None = None,
) -> Flask:
    """The web application. It connects to nothing before the first request.

    `database`: by default that of `settings.database_url`. `doors`: blueprints beside the API, that is the callbacks
    and the console (`sms_service.callbacks`, `sms_service.console`), which this package does not know. `clock` (aware
    times) and `random_bytes` stand in for the machine's own in tests. Raises BadSetting if no database is named, or
    BadCatalogue.
    """
    if database is None:
        if settings.database_url is None:
            raise BadSetting("DATABASE_URL is not set; `make run` starts the embedded database and sets it")
        database = Database(
            settings.database_url,
            pool_size=CONNECTIONS,
            application_name="sms_service web",
            statement_timeout_s=LONGEST_STATEMENT_S,
        )
    for language in LANGUAGES:
        get_catalogue(language)  # one that cannot be used ends the start, not the first page
    limit_answers(settings.answers_a_day)
    context = Context(settings, database)
    context.clock = clock or context.clock
    context.random_bytes = random_bytes or context.random_bytes

    app = Flask("sms_service", static_folder=None)
    app.extensions[EXTENSION] = context
    app.url_map.converters["int"] = _IdConverter
    app.url_map.merge_slashes = False  # an address is right or not found; nothing is answered by another address
    app.json.ensure_ascii = False  # type: ignore[attr-defined]
    app.config.update(
        MAX_CONTENT_LENGTH=LARGEST_FILE,
        TRUSTED_HOSTS=[*settings.trusted_hosts] or None,
        API_TITLE="sms_service",
        API_VERSION="v1",
        OPENAPI_VERSION="3.0.3",
        OPENAPI_URL_PREFIX="/",
        OPENAPI_JSON_PATH="openapi.json",
    )

    api = documentation.DocumentedApi(app)
    for blueprint in RESOURCES:
        api.register_blueprint(blueprint, url_prefix=API_PREFIX)
    for plain in (health.blueprint, documentation.blueprint, *doors):
        app.register_blueprint(plain)
    guard.register_guard(app)
    register_origin(app)
    limits.register_limits(app, context)
    problems.register_problems(app)
    if settings.trusted_proxies:  # outermost, so that doors that stand before the framework see the caller too
        hops = settings.trusted_proxies
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops, x_host=hops)  # type: ignore[method-assign]
    return app
