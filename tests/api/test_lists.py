"""What a page of a list costs: few statements, as many for one row as for many, and hardly more rows than it shows."""

from __future__ import annotations

from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import event, insert
from test_every_route import api_routes, arguments

from sms_service.api import API_PREFIX
from sms_service.campaigns.models import Campaign
from sms_service.controls.accounts import synchronise_gateways
from sms_service.directory.models import Person
from sms_service.dispatch import freeze
from tests.api.directory_client import Caller
from tests.api.samples import make_samples
from tests.dispatch.city import ScriptedAdapter, ScriptedGateways, make_run
from tests.factories import fictional_phone, make_account, make_person, make_segment, make_template, make_unit

MOST_STATEMENTS = 12
PEOPLE = 2_000


@contextmanager
def sent(database):
    """The statements, with their parameters, that are sent meanwhile."""
    statements: list[tuple[str, Any]] = []

    def note(connection, cursor, statement, parameters, *_):
        statements.append((statement, parameters))

    event.listen(database.engine, "before_cursor_execute", note)
    try:
        yield statements
    finally:
        event.remove(database.engine, "before_cursor_execute", note)


@pytest.fixture
def city(database, session):
    city = make_unit(session, code="01")
    ids = make_samples(database, session, city)
    for _ in range(5):
        branch = make_unit(session, parent=city)
        make_account(session, branch)
        make_person(session, branch)
        segment, version = make_segment(session, branch, {"everyone": True}), make_template(session, branch)
        run = make_run(session, branch)
        given = {"unit_id": branch.id, "template_version_id": version.id, "segment_id": segment.id}
        session.add(Campaign(name="学习", signature="云州先锋", route_id=run.route_id, **given))
    session.commit()
    for run_id in freeze.begin_due_runs(database):
        freeze.freeze_run(database, run_id)
    return city, ids


def test_a_list_asks_few_statements_and_as_many_for_a_full_page(make_app, database, session, city):
    app = make_app()
    unit, ids = city
    caller = Caller(app.test_client(), session, unit, "administrator")
    described = app.test_client().get("/openapi.json").json["paths"]
    counted = {}
    for name, _ in api_routes(app):
        own = ids | {"campaign_id": ids["series_id"]} if "/progress" in name else ids
        _, path, kw = arguments(name, own)
        asked = kw.get("query_string", {})
        at = API_PREFIX + name.partition(" ")[2].replace("<int:", "{").replace("<", "{").replace(">", "}")
        parameters = {parameter["name"] for parameter in described[at].get("get", {}).get("parameters", ())}
        if not name.startswith("GET ") or "cursor" not in parameters:
            continue
        caller.get(path, **asked)  # notes the token's use, once a minute
        for limit in (1, 200):
            with sent(database) as statements:
                assert caller.get(path, limit=limit, **asked).status_code == 200, name
            counted[name, limit] = len(statements)
    assert len(counted) > 40
    assert {name: number for name, number in counted.items() if number > MOST_STATEMENTS} == {}
    for name, limit in counted:
        assert counted[name, limit] == counted[name, 1], name


def test_a_page_reads_no_more_rows_than_it_shows(make_app, database, session):
    city = make_unit(session, code="01")
    branch = make_unit(session, parent=city)
    synchronise_gateways(session, ScriptedGateways({"main": ScriptedAdapter()}))
    people = [{"unit_id": branch.id, "name": f"党员{n}", "phone": fictional_phone(n)} for n in range(PEOPLE)]
    session.execute(insert(Person), people)
    run = make_run(session, city)
    caller = Caller(make_app().test_client(), session, city, "administrator")
    freeze.begin_due_runs(database)
    freeze.freeze_run(database, run.id)
    with database.at_once() as connection:
        connection.exec_driver_sql("SET ROLE NONE")
        connection.exec_driver_sql("ANALYZE")
        connection.exec_driver_sql("SET ROLE sms_app")
    for path in ("/people", "/messages", f"/runs/{run.id}/messages", f"/messages?run={run.id}"):
        first = caller.get(path, limit=5) if "?" not in path else caller.get(f"{path}&limit=5")
        with sent(database) as statements:
            second = caller.get(f"{path}{'&' if '?' in path else '?'}limit=5&cursor={first.json['next']}")
        seen = [item["id"] for item in first.json["items"] + second.json["items"]]
        assert len(set(seen)) == 10, path
        (listing,) = [one for one in statements if "page_key" in one[0]]
        plan = session.connection().exec_driver_sql(f"EXPLAIN (ANALYZE, FORMAT JSON) {listing[0]}", listing[1])
        assert max(rows_of(plan.scalar_one()[0]["Plan"])) < PEOPLE / 10, path
        session.rollback()


def test_unknown_rows_cost_what_is_unknown_now_not_all_that_was_sent(make_app, database, session):
    city = make_unit(session, code="01")
    synchronise_gateways(session, ScriptedGateways({"main": ScriptedAdapter()}))
    branch = make_unit(session, parent=city)
    people = [{"unit_id": branch.id, "name": f"党员{n}", "phone": fictional_phone(n)} for n in range(PEOPLE)]
    session.execute(insert(Person), people)
    run = make_run(session, city)
    caller = Caller(make_app().test_client(), session, city, "administrator")
    freeze.begin_due_runs(database)
    freeze.freeze_run(database, run.id)
    with database.at_once() as connection:
        connection.exec_driver_sql(
            "UPDATE messages SET attempts = 1, account_id = 1,"
            " status = CASE WHEN mod(id, 100) = 99 THEN 'unknown' ELSE 'delivered' END"
        )
        connection.exec_driver_sql(
            "INSERT INTO attempts (month, message_id, run_id, number, account_id, claim_token, status, parts,"
            " started_at) SELECT month, id, run_id, 1, 1, gen_random_uuid(), status, 1, sms_now() FROM messages"
        )
        connection.exec_driver_sql("SET ROLE NONE")
        connection.exec_driver_sql("ANALYZE")
        connection.exec_driver_sql("SET ROLE sms_app")
    for query in ({"account": "main"}, {}, {"account": "main", "unit": branch.id}):
        seen, at = [], {}
        while at is not None:
            with sent(database) as statements:
                page = caller.get("/messages", status="unknown", limit=8, **query, **at)
            seen += [item["id"] for item in page.json["items"]]
            at = page.json["next"] and {"cursor": page.json["next"]}
            (listing,) = [one for one in statements if "page_key" in one[0]]
            plan = session.connection().exec_driver_sql(f"EXPLAIN (ANALYZE, FORMAT JSON) {listing[0]}", listing[1])
            found = plan.scalar_one()[0]["Plan"]
            assert max(rows_of(found)) <= 2 * PEOPLE / 100, query
            session.rollback()
        assert len(set(seen)) == len(seen) == PEOPLE / 100, query


def rows_of(node):
    """The rows that each node of a plan gave or took away."""
    yield (node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"]
    for inner in node.get("Plans", ()):
        yield from rows_of(inner)
