"""A list for one campaign from the file to the text that is handed over: values, approval, caps and suppressions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from sms_service.accounts.actors import SYSTEM
from sms_service.audience import measuring
from sms_service.audience.list_models import RecipientList, RecipientRow
from sms_service.audience.models import Segment, Suppression
from sms_service.campaigns import approval, overview, services
from sms_service.campaigns.contents import content_of
from sms_service.campaigns.launch import launch_campaign
from sms_service.campaigns.linting import lint_content, reach_content
from sms_service.campaigns.models import Campaign
from sms_service.content.findings import FindingKind
from sms_service.controls.accounts import synchronise_gateways
from sms_service.controls.models import Cap
from sms_service.db.engine import Database
from sms_service.directory.models import Unit
from sms_service.dispatch import freeze
from sms_service.errors import Conflict, Invalid
from sms_service.ledger.models import Message, Run
from tests.audience.listing import bring_list
from tests.campaigns.test_outlook import foresee
from tests.dispatch.city import ALL_DAY, ScriptedAdapter, ScriptedGateways, drain
from tests.factories import make_person, make_segment, make_template, make_unit

BODY = "{{ name }}同志，您的座位是{{ row.座位 }}{{ row.备注 | default('') }}。"
OWN = ("name", "row.备注", "row.座位")


@pytest.fixture
def gateways(session: Session) -> ScriptedGateways:
    found = ScriptedGateways({"main": ScriptedAdapter()})
    synchronise_gateways(session, found)
    return found


@pytest.fixture
def district(session: Session, gateways: ScriptedGateways) -> Unit:
    return make_unit(session, parent=make_unit(session, **ALL_DAY), **ALL_DAY)


def write(session: Session, unit: Unit, segment_id: int | None, body: str = BODY, **kw: Any) -> Campaign:
    version = make_template(session, unit, body, variables=kw.pop("variables", OWN), class_="notice")
    given = {"name": "座谈会", "signature": "城东街道", "segment_id": segment_id, **kw}
    return services.create_campaign(session, SYSTEM, unit_id=unit.id, template_version_id=version.id, **given)


def launch(database: Database, session: Session, campaign: Campaign) -> Run:
    services.submit_campaign(session, SYSTEM, campaign.id)
    approval.decide_approval(session, SYSTEM, campaign.id, approve=True)
    run, _ = launch_campaign(session, SYSTEM, campaign.id)
    session.commit()
    for run_id in freeze.begin_due_runs(database):
        freeze.freeze_run(database, run_id)
    return run


def listed(session: Session, unit: Unit, number: int = 3) -> RecipientList:
    """A list of so many people of the unit's branches; the last has no seat."""
    home = make_unit(session, parent=unit, **ALL_DAY)
    people = [make_person(session, home, attributes={"row.座位": "旧"}) for _ in range(number)]
    make_person(session, home)  # who is not on it
    rows = [f"{one.number},{place}排,{'' if place > 1 else '，请早到'}" for place, one in enumerate(people, 1)]
    rows[-1] = f"{people[-1].number},,"
    return bring_list(session, unit, "编号,座位,备注\n" + "\n".join(rows) + "\n")


def texts(session: Session, run: Run) -> Mapping[int, str]:
    return dict(session.execute(select(Message.person_id, Message.text).where(Message.run_id == run.id)).all())


def test_a_text_has_what_the_list_says_of_each(
    database: Database, session: Session, district: Unit, gateways: ScriptedGateways
) -> None:
    found = listed(session, district)
    people = session.scalars(select(RecipientRow.person_id).order_by(RecipientRow.row)).all()
    campaign = write(session, district, found.segment_id)
    outlook = foresee(session, SYSTEM, campaign)
    assert (outlook.people, outlook.phones) == (3, 3)
    assert [one.text for one in outlook.findings if one.kind == FindingKind.missing] == [
        "1 people have no row.座位; they are refused, not texted"
    ]
    run = launch(database, session, campaign)
    drain(database, gateways)
    sent = texts(session, run)
    assert sent[people[0]].endswith("您的座位是1排，请早到。")
    assert sent[people[1]].endswith("您的座位是2排。")
    assert {one.person_id: one.text for one in outlook.texts} == {one: sent[one] for one in people[:2]}
    refused = session.execute(select(Message.person_id, Message.reason).where(Message.status == "refused")).all()
    assert refused == [(people[2], "render")]


def test_preview_and_freeze_have_the_same_values_and_the_large_way_too(
    database: Database, session: Session, district: Unit, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = listed(session, district, 5)
    rule = {"all": [{"segment": found.segment_id}, {"kind": "member"}]}
    campaign = write(session, district, make_segment(session, district, rule).id)
    content = content_of(session, campaign, held=False)
    small, tried = reach_content(session, content, district.path)
    monkeypatch.setattr(measuring, "NAMED_UP_TO", 0)
    large, tried_large = reach_content(session, content, district.path)
    assert (small.lacking, small.phones) == (large.lacking, large.phones) == ({"row.座位": 1}, 5)
    assert [one.text for _, one in tried.made] == [one.text for _, one in tried_large.made]
    run = launch(database, session, campaign)
    rows = session.execute(select(Message.person_id, Message.values).where(Message.run_id == run.id)).all()
    values = {one.person_id: {k: v for k, v in one.values.items() if v is not None} for one in small.tried}
    assert (
        dict(rows)
        == values
        == {one.person_id: {k: v for k, v in one.values.items() if v is not None} for one in large.tried}
    )


def test_an_approval_is_for_one_list(database: Database, session: Session, district: Unit) -> None:
    found = listed(session, district)
    campaign = write(session, district, found.segment_id)
    content = content_of(session, campaign)
    assert content.covered()["lists"] == {str(found.id): found.digest.hex()}
    assert overview.get_campaign(session, SYSTEM, campaign.id)["digest"] == content.digest().hex()
    services.submit_campaign(session, SYSTEM, campaign.id)
    approval.decide_approval(session, SYSTEM, campaign.id, approve=True)
    assert overview.get_campaign(session, SYSTEM, campaign.id)["decision"]["holds"]
    other = listed(session, district)
    segment = session.get_one(Segment, found.segment_id)
    for rule, digest in (({"list": other.id}, found.digest), ({"list": found.id}, b"x" * 32)):
        segment.rule = rule
        session.execute(update(RecipientList).where(RecipientList.id == found.id).values(digest=digest))
        session.flush()
        with pytest.raises(Conflict, match="not what was approved any more"):
            launch_campaign(session, SYSTEM, campaign.id)
        assert not overview.get_campaign(session, SYSTEM, campaign.id)["decision"]["holds"]


def test_without_lists_a_digest_stays_what_it_was(session: Session, district: Unit) -> None:
    campaign = write(session, district, make_segment(session, district, {"everyone": True}).id, "您好。", variables=())
    assert "lists" not in content_of(session, campaign).covered()


def test_what_no_list_can_fill_is_refused_when_it_is_saved_and_submitted(session: Session, district: Unit) -> None:
    found, other = listed(session, district), listed(session, district)
    rules: dict[str, dict[str, Any]] = {
        "row.座位 comes from a list, and the segment names none; choose": {"everyone": True},
        f"the segment names several: {found.name}、{other.name}": {"any": [{"list": found.id}, {"list": other.id}]},
        "the segment finds who is not on it": {"all": [{"not": {"list": found.id}}, {"kind": "member"}]},
    }
    for said, rule in rules.items():
        with pytest.raises(Invalid) as error:
            write(session, district, make_segment(session, district, rule).id, variables=("row.座位",))
        assert error.value.field == "segment_id"
        assert said in str(error.value)
    with pytest.raises(Invalid, match="has no column 桌号; it has: row"):
        write(session, district, found.segment_id, "{{ row.桌号 }}号桌。", variables=("row.桌号",))
    with pytest.raises(Invalid, match="is each recipient's own"):
        write(session, district, found.segment_id, values={"row.座位": "一排"})

    campaign = write(session, district, found.segment_id, "座位：{{ row.座位 }}。", variables=("row.座位",))
    session.get_one(Segment, found.segment_id).rule = {"everyone": True}
    session.flush()
    content = content_of(session, campaign)
    findings = [one for one in lint_content(session, content, district.path) if one.severity == "refused"]
    assert [(one.kind, one.key) for one in findings] == [(FindingKind.no_row, "no_row:row.座位")]
    with pytest.raises(Conflict):
        services.submit_campaign(session, SYSTEM, campaign.id)


def test_suppressions_and_caps_hold_for_guests_too(
    database: Database, session: Session, district: Unit, gateways: ScriptedGateways
) -> None:
    session.add_all(
        [
            Suppression(phone="+8613975840241", reason="opted_out", source="test"),
            Cap(class_="notice", per_day=1),
        ]
    )
    rows = "\n".join(f"来宾{n},1397584024{n},{n}排," for n in (1, 2, 3))
    found = bring_list(session, district, f"姓名,手机号,座位,备注\n{rows}\n")
    assert found.guests == 3
    run = launch(database, session, write(session, district, found.segment_id))
    drain(database, gateways)
    assert sorted(session.scalars(select(Message.status).where(Message.run_id == run.id))) == [
        *("accepted", "accepted", "skipped")
    ]
    again = launch(database, session, write(session, district, found.segment_id, name="再来"))
    drain(database, gateways)
    rows_again = session.execute(select(Message.status, Message.reason).where(Message.run_id == again.id)).all()
    assert sorted(rows_again) == [("skipped", "capped"), ("skipped", "capped"), ("skipped", "opted_out")]
