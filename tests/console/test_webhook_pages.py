"""事件推送: a webhook is added with its secret shown once, tried, changed, paused, enabled, told again and removed."""

from __future__ import annotations

import pytest
from sqlalchemy import select, update

from sms_service.accounts.actors import SYSTEM
from sms_service.audit.models import TrailEntry
from sms_service.webhooks.collecting import collect_happenings
from sms_service.webhooks.deliveries import request_test_delivery
from sms_service.webhooks.models import Webhook, WebhookDelivery
from tests.console.campaigning import Walker, make_branch
from tests.factories import make_unit
from tests.webhooks.receiving import make_webhook

ADDRESS = "https://platform.example.cn/hook?key=geheim"


@pytest.fixture
def branch(session):
    branch = make_branch(session)
    session.commit()
    return branch


def only(session, table=Webhook):
    session.expire_all()
    return session.scalars(select(table).order_by(table.id.desc())).first()


@pytest.mark.parametrize(("language", "add", "button"), [
    ("zh", "新建事件推送", "登记"), ("en", "Add a webhook", "Add it"),
])  # fmt: skip
def test_a_webhook_is_added_and_its_secret_shown_once(log_in, branch, session, language, add, button):
    administrator = log_in(branch, "administrator", language=language)
    walker = Walker(administrator, "/webhooks").tap(add)
    walker.tap(button, name="平台<b>", address=ADDRESS, kinds=["run.held", "reply.read"])
    made = only(session)
    assert (made.unit_id, made.host, made.kinds) == (branch.id, "platform.example.cn", ["run.held", "reply.read"])
    assert "whsec_" in walker.text
    for path in ("/webhooks", f"/webhooks/{made.id}", f"/webhooks/{made.id}/change", "/trail"):
        page = administrator.get(path)
        assert page.status_code == 200
        for secret in ("whsec_", "geheim", "<b>"):
            assert secret not in page.text


def test_each_mistake_stands_at_its_field(log_in, branch, session):
    walker = Walker(log_in(branch, "administrator"), "/webhooks/new")
    given = {"name": "平台", "address": ADDRESS, "kinds": ["run.held"]}
    for wrong, said in (
        ({"address": "http://platform.example.cn/"}, "must begin with https://"),
        ({"address": "https://10.0.0.1/"}, "leads into a network of our own"),
        ({"kinds": []}, "must name at least one kind"),
    ):
        walker.tap("Add it", **(given | wrong))
        assert said in walker.text
        assert only(session) is None


def test_it_is_tried_paused_enabled_changed_told_again_and_removed(log_in, branch, session, database):
    webhook = make_webhook(session, branch, name="平台")
    session.commit()
    administrator = log_in(branch, "administrator")
    page = f"/webhooks/{webhook.id}"
    Walker(administrator, page).tap("Send a test")
    assert only(session, WebhookDelivery).status == "pending"
    session.execute(update(WebhookDelivery).values(tries=2, code=503, reason="refused"))
    session.execute(update(Webhook).values(failures=2))
    session.commit()
    shown = administrator.get(page).text
    assert "503" in shown
    assert "The last 2 tries failed." in shown
    assert "The receiver refused it" in shown
    assert "No delivery is like this." in administrator.get(f"{page}?status=given_up").text
    Walker(administrator, page).tap("Pause")
    assert only(session).state == "paused"
    session.execute(update(Webhook).values(state="disabled"))
    session.commit()
    assert "For three days it took nothing" in administrator.get(page).text
    assert "平台" in administrator.get("/webhooks?state=disabled").text
    assert "Webhooks that are disabled" in administrator.get("/").text
    Walker(administrator, page).tap("Enable")
    assert (only(session).state, only(session).failures) == ("open", 0)
    Walker(administrator, f"{page}/change").tap("Keep the change", name="新平台", kinds=["run.closed"])
    assert (only(session).name, only(session).kinds) == ("新平台", ["run.closed"])
    walker = Walker(administrator, page).tap("New secret")
    assert "whsec_" in walker.text
    collect_happenings(database)
    walker = Walker(administrator, f"{page}/replay").tap("Send again", since="2020-01-01T00:00")
    assert "must lie within the last 30 days" in walker.text
    Walker(administrator, f"{page}/remove").tap("Remove it for good")
    assert only(session).state == "removed"
    acts = session.scalars(select(TrailEntry.act).where(TrailEntry.act.like("webhook.%"))).all()
    assert set(acts) == {f"webhook.{act}" for act in ("add", "test", "pause", "enable", "change", "renew", "remove")}


def test_who_manages_no_accounts_there_sees_none(log_in, branch, session):
    mine, other = make_webhook(session, branch), make_webhook(session, make_unit(session))
    request_test_delivery(session, SYSTEM, mine.id)
    session.commit()
    officer, administrator = log_in(branch, "officer"), log_in(branch, "administrator")
    assert {officer.get(f"/webhooks{end}").status_code for end in ("", f"/{mine.id}")} == {403}
    assert administrator.get(f"/webhooks/{mine.id}").status_code == 200
    assert administrator.get(f"/webhooks/{other.id}").status_code == 403
    assert other.name not in administrator.get("/webhooks").text
