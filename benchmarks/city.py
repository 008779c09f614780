"""The city that figures are measured on: 100,000 members in 4,700 branches, 44 streets and 5 districts, made by SQL;
and the campaign to all of it.
"""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

import sms_service.tables  # noqa: F401 - every room's tables, so that foreign keys resolve
from sms_service.audience.models import Segment
from sms_service.campaigns.models import Campaign
from sms_service.content import language
from sms_service.content.models import Template, TemplateVersion
from sms_service.controls.models import Route
from sms_service.db.engine import Database
from sms_service.directory.models import Unit
from sms_service.dispatch import freeze
from sms_service.ledger.models import Run

PEOPLE = 100_000
MANY_PEOPLE = 1_000_000
BRANCHES, STREETS, DISTRICTS = 4_700, 44, 5
SIGNATURE = "云州先锋"
CLASS = "study"
# Two variables; with signature and unsubscribe line 67 to 73 characters, so one part or two.
BODY = (
    "{{ name }}同志：您好！{{ unit }}本周学习内容：坚持理论联系实际，把学习成果转化为服务群众的实际行动。请抽空学习。"
)

# Ids: 1 is the city, then districts, streets, branches. All windows are open all day, so the hour does not matter.
_UNITS = """
INSERT INTO units (id, parent_id, code, name, level, path, window_opens, window_closes)
SELECT 1, NULL, 'C', '云州市', 'city', '/1/', 0, 1440
UNION ALL
SELECT 1 + d, 1, 'D' || d, '第' || d || '区', 'district', '/1/' || 1 + d || '/', 0, 1440
FROM generate_series(1, %(districts)s) AS d
UNION ALL
SELECT id, parent, 'S' || s, '第' || s || '街道', 'street', '/1/' || parent || '/' || id || '/', 0, 1440
FROM generate_series(1, %(streets)s) AS s,
     LATERAL (SELECT 1 + %(districts)s + s AS id, 2 + s %% %(districts)s AS parent) AS street
UNION ALL
SELECT id, parent, 'B' || b, '第' || b || '党支部', 'branch',
       '/1/' || 2 + s %% %(districts)s || '/' || parent || '/' || id || '/', 0, 1440
FROM generate_series(1, %(branches)s) AS b, LATERAL (SELECT 1 + b %% %(streets)s AS s) AS street,
     LATERAL (SELECT 1 + %(districts)s + %(streets)s + b AS id, 1 + %(districts)s + s AS parent) AS branch
"""
_PEOPLE = """
INSERT INTO people (unit_id, number, name, phone)
SELECT %(first)s + n %% %(branches)s, 'P' || n, chr(19968 + n %% 97) || chr(20013 + n %% 89) || chr(22269 + n %% 83),
       '+86139' || lpad(n::text, 8, '0')
FROM generate_series(1, %(people)s) AS n
"""


def build(database: Database, people: int = PEOPLE, branches: int = BRANCHES) -> None:
    """Fill a migrated database with the city, or with one of another size and as many districts and streets."""
    counts = {"districts": DISTRICTS, "streets": STREETS, "branches": branches}
    first = 2 + DISTRICTS + STREETS
    with database.transaction() as connection:
        connection.exec_driver_sql(_UNITS, counts)
        connection.exec_driver_sql(_PEOPLE, {"first": first, "branches": branches, "people": people})
    with database.at_once() as connection:
        # The state in which autovacuum leaves a directory that is not new. Only its owner may do this, and RESET ROLE
        # would lead to sms_app.
        connection.exec_driver_sql("SET ROLE NONE")
        connection.exec_driver_sql("VACUUM ANALYZE")
        connection.exec_driver_sql("RESET ROLE")


def plan_run(session: Session) -> int:
    """A planned run of an approved campaign to the whole city; its id. `launch` makes it due.

    The gateway accounts must have been synchronised.
    """
    rule = {"everyone": True}
    city = session.get_one(Unit, 1)
    segment = Segment(unit_id=city.id, name="全体成员", rule=rule)
    session.add(segment)
    session.flush()
    common = {
        "unit_id": city.id,
        "template_version_id": add_template(session, "学习内容", CLASS, BODY),
        "signature": SIGNATURE,
        "route_id": session.scalars(select(Route.id).where(Route.name == "default")).one(),
        "validity_s": 86_400,
    }
    campaign = Campaign(name="每日一学", status="active", segment_id=segment.id, **common)
    session.add(campaign)
    session.flush()
    now = session.scalars(select(func.sms_now())).one()
    run = Run(
        campaign_id=campaign.id,
        unit_path=city.path,
        class_=CLASS,
        segment_rule=rule,
        values={},
        due_at=now + timedelta(days=1),
        day=now.date(),
        month=now.date().replace(day=1),
        **common,
    )
    session.add(run)
    session.flush()
    return run.id


def launch(database: Database) -> int:
    """Make the run to the whole city due and take it out of `planned`, unless the clock does so; its id."""
    with database.transaction() as connection:
        run_id: int = connection.exec_driver_sql(
            "UPDATE runs SET due_at = sms_now() WHERE status = 'planned' AND unit_id = 1 RETURNING id"
        ).scalar_one()
    freeze.begin_due_runs(database)
    return run_id


def add_template(session: Session, name: str, class_: str, body: str) -> int:
    """A template of the city; the id of its one version."""
    template = Template(unit_id=1, name=name, class_=class_)
    session.add(template)
    session.flush()
    version = TemplateVersion(template_id=template.id, number=1, body=body, variables=language.check_template(body))
    session.add(version)
    session.flush()
    return version.id
