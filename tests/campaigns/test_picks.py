"""A campaign picks rows of reference lists: what they say is approved with it, whatever becomes of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from sms_service.accounts.actors import SYSTEM
from sms_service.campaigns import approval, outlook, services
from sms_service.campaigns.contents import content_of
from sms_service.campaigns.launch import launch_campaign
from sms_service.campaigns.models import Campaign
from sms_service.content import lists
from sms_service.content.list_models import ReferenceList, ReferenceRow
from sms_service.controls.accounts import synchronise_gateways
from sms_service.directory.models import Unit
from sms_service.errors import Conflict, Invalid
from tests.content.test_reference_lists import filled, replaced
from tests.dispatch.city import ScriptedAdapter, ScriptedGateways
from tests.factories import make_person, make_segment, make_template, make_unit

BODY = "{{ name }}同志，请到{{ venue.name }}（{{ venue.address }}）来，电话{{ venue.电话 | default('无') }}。"
NAMES = ("name", "venue.address", "venue.name", "venue.电话")


@pytest.fixture
def district(session: Session) -> Unit:
    synchronise_gateways(session, ScriptedGateways({"main": ScriptedAdapter()}))
    unit = make_unit(session, parent=make_unit(session))
    make_person(session, unit, name="张三", attributes={"venue.address": "别处"})
    return unit


@pytest.fixture
def venues(session: Session, district: Unit) -> ReferenceList:
    """A list of the unit above."""
    return filled(session, session.get_one(Unit, district.parent_id))


def row_id(session: Session, name: str) -> int:
    return session.scalars(select(ReferenceRow.id).where(ReferenceRow.name == name)).one()


def write(
    session: Session, unit: Unit, picks: Mapping[str, Any], body: str = BODY, names: tuple[str, ...] = NAMES
) -> Campaign:
    version = make_template(session, unit, body, class_="notice", variables=names)
    segment = make_segment(session, unit, {"everyone": True})
    fields = {"template_version_id": version.id, "segment_id": segment.id, "signature": "云州先锋"}
    return services.create_campaign(session, SYSTEM, unit_id=unit.id, name="通知", picks=picks, **fields)


def approved(session: Session, unit: Unit, picks: Mapping[str, Any]) -> Campaign:
    campaign = write(session, unit, picks)
    services.submit_campaign(session, SYSTEM, campaign.id)
    return approval.decide_approval(session, SYSTEM, campaign.id, approve=True)


def findings(session: Session, campaign: Campaign) -> dict[str, str]:
    return {one.key: str(one.text) for one in outlook.lint_campaign(session, SYSTEM, campaign.id)}


def test_what_the_row_says_is_taken_into_the_values(session: Session, district: Unit, venues: ReferenceList) -> None:
    campaign = write(session, district, {"venue": row_id(session, "市民中心")})
    assert campaign.values == {"venue.name": "市民中心", "venue.address": "南京路1号", "venue.电话": "88880000"}
    services.change_campaign(session, SYSTEM, campaign.id, {"picks": {"venue": row_id(session, "图书馆")}})
    assert campaign.values == {"venue.name": "图书馆", "venue.address": "人民路2号"}, "an empty cell is no value"
    services.change_campaign(session, SYSTEM, campaign.id, {"values": {"venue.address": "别处", "事": "学习"}})
    assert campaign.values == {"venue.name": "图书馆", "venue.address": "人民路2号", "事": "学习"}
    services.change_campaign(session, SYSTEM, campaign.id, {"picks": {"venue": None}})
    assert (campaign.values, campaign.picks) == ({"事": "学习"}, {})


def test_a_missing_pick_is_a_missing_value(session: Session, district: Unit, venues: ReferenceList) -> None:
    campaign = write(session, district, {})
    (one, _) = (f for f in outlook.lint_campaign(session, SYSTEM, campaign.id) if f.kind == "nobody_has")
    assert (one.severity, one.key) == ("refused", "nobody_has:venue.address")
    assert one.place == "the value of venue.address"
    assert one.remedy == "choose a row of the list venue that has it, or give it a default in the template"
    with pytest.raises(Conflict, match="choose a row of the list venue"):
        services.submit_campaign(session, SYSTEM, campaign.id)


def test_a_row_changed_after_the_approval_changes_nothing(
    session: Session, district: Unit, venues: ReferenceList
) -> None:
    first = row_id(session, "市民中心")
    campaign = approved(session, district, {"venue": first})
    digest = content_of(session, campaign).digest()
    lists.keep_row(session, SYSTEM, venues.id, first, "市民中心", {"address": "南京路8号", "电话": "88880000"})
    assert content_of(session, campaign).digest() == digest
    changed = "市民中心 says something else by now; the text has what it said when it was picked"
    assert findings(session, campaign)["row_changed:venue"] == changed
    run, _ = launch_campaign(session, SYSTEM, campaign.id)
    assert run.values["venue.address"] == "南京路1号"


def test_picking_anew_voids_the_approval(session: Session, district: Unit, venues: ReferenceList) -> None:
    first, second = row_id(session, "市民中心"), row_id(session, "图书馆")
    campaign = approved(session, district, {"venue": first})
    services.change_campaign(session, SYSTEM, campaign.id, {"picks": {"venue": first}})
    assert campaign.status == "approved", "the same row, which says the same"
    lists.keep_row(session, SYSTEM, venues.id, first, "市民中心", {"address": "南京路8号"})
    services.change_campaign(session, SYSTEM, campaign.id, {"name": "别名", "values": dict(campaign.values)})
    assert campaign.values["venue.address"] == "南京路1号", "nothing is taken over unasked"
    services.change_campaign(session, SYSTEM, campaign.id, {"picks": {"venue": first}})
    assert (campaign.status, campaign.values["venue.address"]) == ("draft", "南京路8号")
    assert "row_changed:venue" not in findings(session, campaign)
    other = approved(session, district, {"venue": first})
    services.change_campaign(session, SYSTEM, other.id, {"picks": {"venue": second}})
    assert other.status == "draft"
    with pytest.raises(Conflict):
        launch_campaign(session, SYSTEM, other.id)


def test_an_archived_row_stays_where_it_was_picked(session: Session, district: Unit, venues: ReferenceList) -> None:
    first = row_id(session, "市民中心")
    campaign = write(session, district, {"venue": first})
    lists.archive_row(session, SYSTEM, venues.id, first)
    assert "the row is not on the list any more" in findings(session, campaign)["row_changed:venue"]
    services.change_campaign(session, SYSTEM, campaign.id, {"picks": {"venue": first}, "name": "别名"})
    with pytest.raises(Invalid, match="is archived") as caught:
        write(session, district, {"venue": first})
    assert caught.value.field == "picks.venue"
    copy = services.copy_campaign(session, SYSTEM, campaign.id)
    assert (copy.picks, copy.values) == ({}, {}), "a copy has to choose"
    lists.remove_reference_list(session, SYSTEM, venues.id)
    assert "not on the list" in findings(session, campaign)["row_changed:venue"]
    assert campaign.values["venue.address"] == "南京路1号"


def test_a_copy_takes_what_the_row_says_now(session: Session, district: Unit, venues: ReferenceList) -> None:
    first = row_id(session, "市民中心")
    campaign = write(session, district, {"venue": first})
    lists.keep_row(session, SYSTEM, venues.id, first, "市民中心", {"address": "南京路8号"})
    copy = services.copy_campaign(session, SYSTEM, campaign.id)
    assert (copy.picks, copy.values) == ({"venue": first}, {"venue.name": "市民中心", "venue.address": "南京路8号"})


def test_another_wording_takes_the_columns_that_it_names(
    session: Session, district: Unit, venues: ReferenceList
) -> None:
    campaign = write(session, district, {"venue": row_id(session, "市民中心")}, "{{ venue.name }}见", ("venue.name",))
    assert campaign.values == {"venue.name": "市民中心"}
    version = make_template(session, district, "{{ venue.address }}见", variables=("venue.address",))
    services.change_campaign(session, SYSTEM, campaign.id, {"template_version_id": version.id})
    assert campaign.values == {"venue.address": "南京路1号"}
    version = make_template(session, district, "大家好")
    services.change_campaign(session, SYSTEM, campaign.id, {"template_version_id": version.id})
    assert (campaign.values, campaign.picks) == ({}, {})


def test_what_cannot_be_picked_is_named(session: Session, district: Unit, venues: ReferenceList) -> None:
    first = row_id(session, "市民中心")
    elsewhere = filled(session, make_unit(session), "场地,地址(address)\n别处,别处\n")
    wrong = [
        ({"venue": row_id(session, "别处")}, "is no row of the list"),
        ({"venue": 2**62}, "is no row of the list"),
        ({"teacher": first}, "names no list of this name"),
    ]
    for picks, reason in wrong:
        with pytest.raises(Invalid, match=reason) as caught:
            write(session, district, picks)
        assert caught.value.field == f"picks.{next(iter(picks))}"
    with pytest.raises(Invalid, match="has no column 容纳人数"):
        write(session, district, {"venue": first}, "{{ venue.容纳人数 }}人", ("venue.容纳人数",))
    with pytest.raises(Invalid, match="can use no list"):
        write(session, district, {"teacher": first}, "{{ teacher.name }}", ("teacher.name",))
    own = filled(session, district, "场地,地址(address),电话\n本区,三楼,1\n")
    with pytest.raises(Invalid, match="is no row of the list"):
        write(session, district, {"venue": first})
    assert own.id != elsewhere.id
    replaced(session, own, "场地,地址(address),电话\n本区,四楼,1\n")
    assert write(session, district, {"venue": row_id(session, "本区")}).values["venue.address"] == "四楼"
