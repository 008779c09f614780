"""资料表: made, filled by a file that is shown first, searched and changed; and a campaign picks a row of it."""

from __future__ import annotations

import io

import pytest
from sqlalchemy import select

from sms_service.accounts.actors import SYSTEM
from sms_service.campaigns import approval, services
from sms_service.campaigns.models import Campaign
from sms_service.console import picking
from sms_service.content import lists
from sms_service.content.list_models import ReferenceList, ReferenceRow
from tests.console.campaigning import Walker, make_branch, make_invitation, write_draft
from tests.content.test_reference_lists import VENUES, filled
from tests.factories import make_unit

EVIL = '"><svg onload=alert(1)><b>'
BODY = "{{ name }}同志：定于{{ 时间 }}在{{ venue.name }}（{{ venue.address }}）开会。"


@pytest.fixture
def branch(session):
    branch = make_branch(session)
    session.commit()
    return branch


@pytest.fixture
def invitation(session, branch):
    return make_invitation(session, branch, body=BODY)


def upload(visitor, list_id, content):
    page = f"/lists/{list_id}"
    data = {"file": (io.BytesIO(content.encode()), "场地.csv")}
    return visitor.post(f"{page}/file", form=page, data=data)


def rows_of(session):
    session.expire_all()
    return {row.name: row for row in session.scalars(select(ReferenceRow).where(ReferenceRow.archived_at.is_(None)))}


def test_a_list_is_made_and_filled_and_replaced_by_files(log_in, session, branch):
    visitor = log_in(branch)
    assert "there is no reference list yet" in visitor.get("/lists").text
    data = {"name": "venue", "label": "场地", "unit_id": branch.id}
    made = visitor.post("/lists", form="/lists", data=data)
    assert made.status_code == 303
    refused = visitor.post("/lists", form="/lists", data=data | {"name": "a b"})
    assert refused.status_code == 422
    assert "must be a word of" in refused.text
    list_id = session.scalars(select(ReferenceList.id)).one()
    assert upload(visitor, list_id, VENUES).location.endswith(f"/lists/{list_id}/plan")
    walker = Walker(visitor, f"/lists/{list_id}/plan")
    assert "Replace the list: 2 rows" in walker.text
    assert rows_of(session) == {}
    done = walker.tap("Replace the list")
    assert "The list is what the file says." in done.text
    assert set(rows_of(session)) == {"市民中心", "图书馆"}
    page = visitor.get(f"/lists/{list_id}").text
    assert "{{ venue.address }}" in page
    upload(visitor, list_id, "场地,地址\n市民中心,南京路8号\n")
    page = visitor.get(f"/lists/{list_id}/plan").text
    assert "南京路1号 → 南京路8号" in page
    assert "Templates that name them cannot be filled any more." in page
    Walker(visitor, f"/lists/{list_id}/plan").tap("Discard")
    assert visitor.get(f"/lists/{list_id}/plan").status_code == 404
    assert len(rows_of(session)) == 2


def test_rows_that_cannot_be_used_are_listed_and_nothing_can_be_replaced(log_in, session, branch):
    found = filled(session, branch)
    session.commit()
    visitor = log_in(branch)
    upload(visitor, found.id, "场地,地址\n甲,{{ a }}\n乙,<b>\n乙,b\n")
    page = visitor.get(f"/lists/{found.id}/plan").text
    assert "2 rows cannot be used" in page
    assert "乙 is the name of row 3 too" in page
    assert "Replace the list" not in page
    for content in ("", "场地\n", "\x00"):
        answer = upload(visitor, found.id, content)
        assert answer.status_code == 422
        assert "wrong-text" in answer.text
    assert visitor.post(f"/lists/{found.id}/file", form=f"/lists/{found.id}", data={}).status_code == 422
    csv = visitor.post(f"/lists/{found.id}/download", form=f"/lists/{found.id}", data={"format": "csv"})
    assert csv.data.decode("utf-8-sig").startswith("场地,地址(address),电话")


def test_rows_are_searched_changed_and_archived(log_in, session, branch):
    found = filled(session, branch, VENUES + f"{EVIL}甲,x,\n".replace('"', "”"))
    session.commit()
    visitor, page = log_in(branch), f"/lists/{found.id}"
    assert "<svg onload" not in visitor.get(page).text
    seen = visitor.post(page, form=page, data={"wanted": "人民路"}).text
    assert "图书馆" in seen
    assert "市民中心" not in seen
    row = rows_of(session)["图书馆"]
    at = f"{page}/rows/{row.id}"
    refused = visitor.post(at, form=at, data={"name": "图书馆", "values.address": "{{ a }}"})
    assert refused.status_code == 422
    assert "would be sent as it stands" in refused.text
    visitor.post(at, form=at, data={"name": "图书馆", "values.address": "人民路9号"})
    assert rows_of(session)["图书馆"].values == {"address": "人民路9号"}
    Walker(visitor, at).tap("Archive")
    assert "图书馆" not in rows_of(session)
    assert "图书馆" in visitor.get(f"{page}?archived=true").text
    Walker(visitor, at).tap("Bring it back")
    assert "图书馆" in rows_of(session)
    visitor.post(f"{page}/rows", form=f"{page}/rows/new", data={"name": "文化馆", "values.电话": "12345"})
    assert rows_of(session)["文化馆"].values == {"电话": "12345"}
    visitor.post(f"{page}/name", form=page, data={"label": "活动场地"})
    assert "活动场地" in visitor.get("/lists").text
    visitor.post(f"{page}/remove", form=page)
    assert rows_of(session) == {}


def test_scope(log_in, session, branch):
    found = filled(session, branch)
    session.commit()
    above, elsewhere, reader = make_unit(session), make_unit(session), log_in(branch, "auditor")
    session.commit()
    row = rows_of(session)["图书馆"]
    page = reader.get(f"/lists/{found.id}").text
    assert "图书馆" in page
    assert "Replace" not in page
    assert "Rename" not in page
    for visitor in (log_in(elsewhere), log_in(above)):
        for path in (f"/lists/{found.id}", f"/lists/{found.id}/plan", f"/lists/{found.id}/rows/{row.id}"):
            assert visitor.get(path).status_code == 403, path
        for path in ("file", "name", "remove", "rows", f"rows/{row.id}", f"rows/{row.id}/archive", "plan/discard"):
            data = {"label": "x", "name": "x", "file": (io.BytesIO(b"x\ny\n"), "x.csv")}
            assert visitor.post(f"/lists/{found.id}/{path}", form="/lists", data=data).status_code == 403, path
    assert reader.get(f"/lists/{found.id}/rows/{row.id}").status_code == 403


def test_cells_are_shown_as_they_stand_in_texts_and_readers_learn_who_keeps_the_list(log_in, session, branch):
    found = filled(session, branch, "名称,电话(phone)\n图书馆,13800138000\n")
    session.commit()
    keeper, reader = (log_in(branch, role).get(f"/lists/{found.id}").text for role in ("officer", "auditor"))
    assert "13800138000" in keeper
    assert "13800138000" in reader
    assert f"{branch.name} keeps this list" in reader
    assert "keeps this list" not in keeper
    row = rows_of(session)["图书馆"]
    assert row.values == {"phone": "13800138000"}


def test_an_invitation_picks_a_row(log_in, session, branch, invitation):
    filled(session, branch)
    session.commit()
    row = rows_of(session)["市民中心"]
    walker = Walker(log_in(branch), "/invite")
    assert "市民中心 · 南京路1号" in walker.text
    assert "values.venue" not in walker.text, "what the row says is not asked for"
    refused = log_in(branch).post("/invite", form="/invite", data={"values.时间": "周六", "signature": "云州先锋"})
    assert refused.status_code == 422
    assert "场地 is missing: the text needs it" in refused.text
    words = {"values.时间": "周六", "picks.venue": str(row.id), "signature": "云州先锋"}
    walker.tap("", "/invite?", **words)
    campaign = session.scalars(select(Campaign).order_by(Campaign.id.desc())).first()
    assert campaign.picks == {"venue": row.id}
    assert campaign.values == {"时间": "周六", "venue.name": "市民中心", "venue.address": "南京路1号"}
    page = log_in(branch).get(f"/invite?campaign={campaign.id}").text
    assert f'<option value="{row.id}" selected>' in page
    assert "地址：南京路1号" in page


def test_a_long_list_is_searched_without_losing_what_is_written(log_in, session, branch, invitation, monkeypatch):
    monkeypatch.setattr(picking, "MOST_OFFERED", 1)
    filled(session, branch)
    session.commit()
    visitor = log_in(branch)
    assert "图书馆" not in visitor.get("/invite").text
    data = {"find.venue": "人民路", "values.时间": "周日", "picks.venue": ""}
    page = visitor.post("/invite/look", form="/invite", data=data).text
    assert "图书馆 · 人民路2号" in page
    assert 'value="周日"' in page
    page = visitor.post("/invite/look", form="/invite", data=data | {"find.venue": "没有"}).text
    assert "No row holds “没有”." in page
    draft = write_draft(session, branch, version_id=invitation.id)
    session.commit()
    for path in (f"/campaigns/{draft.id}/change", f"/campaigns/new?version={invitation.id}"):
        place, _, query = path.partition("?")
        page = visitor.post(f"{place}/look?{query}", form=path, data=data).text
        assert "图书馆 · 人民路2号" in page, path


def test_the_long_form_and_the_text_show_the_row(log_in, session, branch, invitation):
    filled(session, branch)
    row = rows_of(session)["图书馆"]
    draft = write_draft(session, branch, version_id=invitation.id)
    session.commit()
    visitor, path = log_in(branch), f"/campaigns/{draft.id}/change"
    text = visitor.post(
        f"/texts/{invitation.id}", form=path, data={"signature": "云州先锋", "picks.venue": str(row.id)}
    ).text
    assert "在图书馆（人民路2号）开会" in text
    fields = {"name": "会", "segment_id": draft.segment_id, "signature": "云州先锋", "values.时间": "周六"}
    answer = visitor.post(path, form=path, data=fields | {"picks.venue": "x"})
    assert answer.status_code == 422
    assert visitor.post(path, form=path, data=fields | {"picks.venue": str(row.id)}).status_code == 303
    session.expire_all()
    assert session.get_one(Campaign, draft.id).values["venue.address"] == "人民路2号"


def test_a_change_of_the_row_is_said_and_taken_over(log_in, session, branch, invitation):
    found = filled(session, branch)
    row = rows_of(session)["图书馆"]
    draft = write_draft(session, branch, version_id=invitation.id, values={"时间": "周六"})
    services.change_campaign(session, SYSTEM, draft.id, {"picks": {"venue": row.id}})
    services.submit_campaign(session, SYSTEM, draft.id)
    approval.decide_approval(session, SYSTEM, draft.id, approve=True)
    lists.keep_row(session, SYSTEM, found.id, row.id, row.name, {"address": "人民路9号"})
    session.commit()
    walker = Walker(log_in(branch), f"/campaigns/{draft.id}/check")
    assert "图书馆: the list says something else by now" in walker.text
    assert "That takes the approval away." in walker.text
    page = walker.tap("Take the change over")
    session.expire_all()
    campaign = session.get_one(Campaign, draft.id)
    assert (campaign.status, campaign.values["venue.address"]) == ("draft", "人民路9号")
    assert "says something else by now" not in page.text


def test_the_editor_of_templates_names_what_lists_offer(log_in, session, branch, invitation):
    filled(session, branch)
    session.commit()
    page = log_in(branch).get(f"/templates/{invitation.template_id}/new-version").text
    assert "{{ venue.address }}" in page
    assert "fields.label.venue.address" not in page


def test_what_a_list_will_fill_is_named_by_its_label(log_in, session, branch, invitation):
    filled(session, branch, "名称,详细地址(address)\n图书馆,人民路2号\n")
    session.commit()
    visitor, label = log_in(branch), lists.usable_lists(session, branch.path)["venue"].label
    template = f"/templates/{invitation.template_id}"
    for path in ("/invite", "/templates", template, f"{template}/new-version"):
        page = visitor.get(path).text
        assert f"{label}·详细地址" in page, path
        assert "〔venue." not in page, path
    text = visitor.post(f"/texts/{invitation.id}", form="/invite", data={"signature": "云州先锋"}).text
    assert f"在〔{label}·名称〕（〔{label}·详细地址〕）开会" in text
