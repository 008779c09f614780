"""How long it takes to hear what would happen if a campaign was sent to everybody: whom it reaches, who is skipped and
why, how many in each unit, what 1,000 texts made for real people cost, what they were sent lately, when it is through.
"""

from __future__ import annotations

import json
from functools import partial

from benchmarks import city
from benchmarks.figures import Benchmark, Measured
from benchmarks.laboratory import BenchmarkError, Laboratory
from benchmarks.pages import Browser
from benchmarks.reading import issue_reader_token
from benchmarks.sending import plan
from benchmarks.services import null_gateway, web
from sms_service.accounts.actors import SYSTEM
from sms_service.audience.models import Segment
from sms_service.campaigns.services import create_campaign
from sms_service.content import language
from sms_service.content.models import TemplateVersion
from sms_service.db.engine import Database
from sms_service.dispatch import freeze

EARLIER, REQUESTS = 4, 20
# Of every hundred people two share a phone, three have none, one has a bad one, two are out of reach, two opted out.
_SPOIL = """
UPDATE people SET phone = (SELECT phone FROM people p WHERE p.id = people.id - 1) WHERE id %% 100 = 50;
UPDATE people SET phone = NULL WHERE id %% 100 IN (10, 30, 70);
UPDATE people SET phone = NULL, phone_problem = 'too short' WHERE id %% 100 = 20;
UPDATE people SET lost_contact = true WHERE id %% 100 IN (5, 95);
INSERT INTO suppressions (phone, source) SELECT phone, 'import' FROM people WHERE id %% 100 IN (40, 60);
UPDATE people SET attributes = jsonb_build_object('小组', '第' || id %% 7 || '学习小组') WHERE id %% 200 <> 0;
INSERT INTO contacts (person_id, unit_id, role) SELECT id, unit_id, '书记' FROM people WHERE id %% 20 = 0
"""
_BODY = "{{ name }}同志：您好！{{ unit }}{{ 小组 }}本周学习内容：坚持理论联系实际，把学习成果转化为服务群众的实际行动。"


def _measure(laboratory: Laboratory, people: int, figure: str) -> Measured:
    with laboratory.city(people) as database:
        gateways = null_gateway(laboratory)
        plan(database, gateways)
        freeze.freeze_run(database, city.launch(database))  # the run that people were sent lately
        campaign_id = _prepare(database)
        token = issue_reader_token(database)
        variables = laboratory.variables(database, gateways, RATE_LIMIT="1000000 per minute")
        with web(laboratory, variables) as port:
            browser = Browser(port, token=token)
            answers = [browser.ask(f"/api/v1/campaigns/{campaign_id}/outlook") for _ in range(EARLIER + REQUESTS)]
    said = json.loads(answers[-1].text)
    if said["people"] != people or said["tried"] < 1_000 or len(said["skipped"]) != 5 or not said["similar"]:
        raise BenchmarkError(f"something else was previewed: {answers[-1].text[:300]}")
    return {figure: [answer.ms for answer in answers[EARLIER:]]}


def _prepare(database: Database) -> int:
    """Spoil some of the people; a draft to all of them, by its id."""
    with database.transaction() as connection:
        for statement in _SPOIL.split(";\n"):
            connection.exec_driver_sql(statement, {})
    with database.at_once() as connection:
        connection.exec_driver_sql("SET ROLE NONE")  # the tables' owner, as autovacuum is
        connection.exec_driver_sql("VACUUM ANALYZE")
    with database.session() as session:
        segment = Segment(unit_id=1, name="全体", rule={"everyone": True})
        # Of the template that they were sent lately.
        version = TemplateVersion(template_id=1, number=2, body=_BODY, variables=language.check_template(_BODY))
        session.add_all([segment, version])
        session.flush()
        return create_campaign(
            session, SYSTEM, unit_id=1, name="小组学习", template_version_id=version.id, segment_id=segment.id,
            signature=city.SIGNATURE,
        ).id  # fmt: skip


PREVIEWS = tuple(
    Benchmark(partial(_measure, people=people, figure=figure), {figure: "ms"}, runs=1, group=1_000, size=people)
    for figure, people in (("preview_100k_ms", city.PEOPLE), ("preview_1m_ms", city.MANY_PEOPLE))
)
