"""按名单发送: an officer uploads a file, looks at what it would be, makes the list and writes the campaign to it."""

from __future__ import annotations

import io
import re

import pytest
from sqlalchemy import select

from sms_service.audience.import_work import work_on_import
from sms_service.audience.list_models import RecipientList
from sms_service.campaigns.models import Campaign
from sms_service.content.models import TemplateVersion
from sms_service.controls.accounts import synchronise_gateways
from sms_service.personal.list_endings import end_lists
from tests.audience.listing import bring_list
from tests.clocks import ahead_by
from tests.console.conftest import SAME_ORIGIN
from tests.dispatch.city import ScriptedAdapter, ScriptedGateways
from tests.factories import make_person, make_template, make_unit

ROWS = "编号,姓名,手机号,座位\nP1,,,1排\n,<b>来宾,13975840241,2排\n"


@pytest.fixture
def city(session):
    synchronise_gateways(session, ScriptedGateways({"main": ScriptedAdapter()}))
    city = make_unit(session, code="01", name="云州市")
    make_person(session, city, number="P1", name="王伟")
    make_template(session, city, "座位是{{ row.座位 }}。", variables=("row.座位",), name="座位通知", class_="notice")
    session.commit()
    return city


def upload(visitor, content, **data):
    files = {"file": (io.BytesIO(content.encode()), "座谈会.csv")} if content is not None else {}
    return visitor.client.post(
        "/recipient-lists",
        data={**visitor.fields("/recipient-lists"), **data, **files},
        content_type="multipart/form-data",
        headers=SAME_ORIGIN,
    )


def test_from_the_file_to_the_campaign(log_in, database, session, city):
    visitor = log_in(city, "administrator")
    assert upload(visitor, None).status_code == 422
    location = upload(visitor, ROWS, unit_id=str(city.id)).location
    import_id = int(location.rsplit("/", 1)[1])
    work_on_import(database.session, import_id)
    page = visitor.get(location).text
    assert "No list is made yet. 2 people will be on it." in page
    assert "taken as a guest" in page
    assert "a value for the text" in page
    version = re.search(r'name="version" value="(\d+)"', page)[1]
    visitor.post(f"{location}/apply", form=location, data={"version": version})
    work_on_import(database.session, import_id)
    found = session.scalars(select(RecipientList)).one()
    assert f'href="/recipient-lists/{found.id}"' in visitor.get(location).text
    page = visitor.get(f"/recipient-lists/{found.id}").text
    assert "{{ row.座位 }}" in page
    assert "&lt;b&gt;来宾" in page
    assert "139****0241" in page
    assert "13975840241" not in page
    address = re.search(r'href="(/campaigns/new\?[^"]*segment=[^"]*)"', page)[1].replace("&amp;", "&")
    form = visitor.get(address).text
    assert "The text takes from this list: row.座位" in form
    assert "The text takes row.座位 from a list" in visitor.get(address.partition("&segment")[0]).text
    assert f'<option value="{found.segment_id}" selected>' in form
    data = {"name": "座谈会", "segment_id": str(found.segment_id), "signature": "云州先锋"}
    version_id = session.scalars(select(TemplateVersion.id)).one()
    versioned = f"{address}&version={version_id}"
    answer = visitor.post(versioned, form=versioned, data=data)
    campaign = session.scalars(select(Campaign)).one()
    assert answer.location == f"/campaigns/{campaign.id}/check"
    check = visitor.get(answer.location).text
    assert "座位是1排" in check
    assert "座谈会" in visitor.get(f"/recipient-lists/{found.id}").text


def test_from_the_list_to_its_text_and_on_to_the_campaign(log_in, session, city):
    found = bring_list(session, city, ROWS)
    other = bring_list(session, city, ROWS.replace("座位", "桌号"))
    session.commit()
    visitor = log_in(city, "administrator")
    page = visitor.get(f"/recipient-lists/{found.id}").text
    address = f"/templates/new?list={found.id}"
    assert f'<a class="btn btn-primary" href="{address}"' in page
    form = visitor.get(address).text
    assert 'data-insert="f-body" data-value="{{ row.座位 }}"' in form
    assert f'formaction="{address}"' in form
    data = {"name": "座位安排", "unit_id": str(city.id), "class": "notice", "body": "座位是｛｛ row.座位 ｝｝。"}
    seen = visitor.post(address, form=address, data=data | {"signature": "云州先锋"})
    assert "座位是〔座位〕。" in seen.text
    location = visitor.post(f"/templates/new/keep?list={found.id}", form=address, data=data).location
    assert location.endswith(f"?list={found.id}")
    version_id = session.scalars(select(TemplateVersion.id).order_by(TemplateVersion.id.desc())).first()
    on = f"/campaigns/new?unit={city.id}&amp;segment={found.segment_id}&amp;version={version_id}"
    assert on in visitor.get(location).text
    assert "Send it to this list" not in visitor.get(f"{location.partition('?')[0]}?list={other.id}").text
    assert "Send it to this list" not in log_in(city, "auditor").get(location).text
    stranger = log_in(make_unit(session), "administrator")
    assert stranger.get(address).status_code == 403
    assert stranger.post(f"/templates/new/keep?list={found.id}", form="/templates/new", data=data).status_code == 403


def test_an_officers_rows_outside_the_register_are_refused_with_a_remedy(log_in, database, session, city):
    visitor = log_in(city, "officer")
    location = upload(visitor, ROWS, unit_id=str(city.id)).location
    work_on_import(database.session, int(location.rsplit("/", 1)[1]))
    page = visitor.get(location).text
    assert "you may not text people outside the register" in page
    assert "have an administrator upload the file" in page


def test_rows_are_deleted_when_nobody_needs_them(log_in, database, session, city):
    found = bring_list(session, city, ROWS)
    session.commit()
    auditor, officer = log_in(city, "auditor"), log_in(city, "officer")
    path = f"/recipient-lists/{found.id}"
    assert "Nobody needs it any more" not in auditor.get(path).text
    assert officer.post(f"{path}/let-go", form=path).status_code == 422
    assert officer.post(f"{path}/let-go", form=path, data={"sure": "true"}).location == path
    assert "its rows are being deleted" in officer.get(path).text
    assert [end_lists(database), end_lists(database)] == [1, 1]
    page = officer.get(path).text
    assert "Its rows were deleted" in page
    assert "王伟" not in page
    assert log_in(make_unit(session), "officer").get(path).status_code == 403


def test_a_list_whose_time_is_over_offers_nothing_any_more(log_in, database, session, city):
    found = bring_list(session, city, ROWS)
    session.commit()
    visitor, offers = log_in(city, "administrator"), ("Write the text", "Send by a template", "Nobody needs it")
    path = f"/recipient-lists/{found.id}"
    page = visitor.get(path).text
    assert all(offer in page for offer in offers)
    templates = f"/templates/{session.scalars(select(TemplateVersion.template_id)).one()}?list={found.id}"
    assert "Send it to this list" in visitor.get(templates).text
    with ahead_by(database.url, "31 days") as ahead:
        assert [end_lists(ahead), end_lists(ahead)] == [1, 1]
    page = visitor.get(path).text
    assert "Its rows were deleted" in page
    assert not [offer for offer in offers if offer in page]
    assert "Send it to this list" not in visitor.get(templates).text


def test_nothing_yet_says_what_would_be_here(log_in, session, city):
    assert "云州市: there is no list yet" in log_in(city, "officer").get("/recipient-lists").text
    assert "Upload a file" not in log_in(city, "auditor").get("/recipient-lists").text
