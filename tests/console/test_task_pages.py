"""Each task on the home page leads to the list of exactly those things."""

from __future__ import annotations

import re

from sqlalchemy import text

from tests.api.samples import PREPARATIONS, make_samples
from tests.factories import make_unit


def test_each_task_leads_to_its_list(database, session, log_in):
    city = make_unit(session)
    branch = make_unit(session, name="一支部", parent=city, level="branch")
    ids = make_samples(database, session, branch)
    session.execute(text("UPDATE campaigns SET status = 'submitted' WHERE id = :id"), {"id": ids["campaign_id"]})
    session.execute(text("UPDATE runs SET status = 'held', held_for = 'canary', reason = 'x'"))
    session.execute(text("UPDATE gateway_accounts SET state = 'paused', paused_by = 'breaker', reason = 'x'"))
    PREPARATIONS["POST /messages/<int:message_id>/settle"](session, ids)
    session.commit()
    everybody = log_in(city, "administrator", "approver", "operator")
    home = everybody.get("/").get_data(as_text=True)
    links = re.findall(r'stretched-link" href="([^"]+)"', home)
    expected = {"/decisions", "/runs", "/gateways", "/unknowns", "/imports", "/lost-checks"}
    assert expected <= {link.partition("?")[0] for link in links}
    assert "the oldest since" in home
    for link in links:
        page = everybody.get(link.replace("&amp;", "&"))
        assert (link, page.status_code) == (link, 200)
    assert "/gateways/main" in everybody.get("/gateways?paused=breaker_open").get_data(as_text=True)
    assert "/gateways/main" not in everybody.get("/gateways?paused=gateway_paused").get_data(as_text=True)
    assert "党员.csv" in everybody.get("/imports?waiting=true").get_data(as_text=True)
    session.execute(text("UPDATE imports SET state = 'applied'"))
    session.commit()
    assert "No file waits" in everybody.get("/imports?waiting=true").get_data(as_text=True)
    auditor = log_in(city, "auditor")
    assert auditor.get("/runs?status=held&waiting=true").status_code == 403
    assert auditor.get("/runs?status=held").status_code == 200


def test_own_campaigns_stand_in_no_list_of_what_waits(database, session, log_in):
    unit = make_unit(session)
    ids = make_samples(database, session, unit)
    both = log_in(unit, "approver", "officer")
    session.execute(text("UPDATE campaigns SET status = 'submitted', name = '题目甲'"))
    session.execute(
        text(
            "INSERT INTO trail (account_id, act, target_kind, target_id, unit_path, details)"
            " VALUES (:account, 'campaign.submit', 'campaign', :id, :path, '{}')"
        ),
        {"account": both.account_id, "id": str(ids["campaign_id"]), "path": unit.path},
    )
    session.commit()
    numbers = [both.get(path).get_data(as_text=True).count("题目甲") for path in ("/decisions", "/decisions?waiting=1")]
    assert numbers[0] == numbers[1] + 1
    session.execute(text("UPDATE campaigns SET status = 'rejected', created_by = NULL"))
    session.commit()
    assert "题目甲" in both.get("/campaigns?status=rejected").get_data(as_text=True)
    assert "题目甲" not in both.get("/campaigns?status=rejected&waiting=true").get_data(as_text=True)


def test_what_pushes_link_to_is_there(app):
    for path, endpoint in (
        ("/", "console.show_home"),
        ("/decisions", "console.list_decisions"),
        ("/campaigns/2/decision", "console.show_decision"),
    ):
        assert app.url_map.bind("sms.example.cn").match(path)[0] == endpoint
