"""What holds for every page: who gets in, forms from elsewhere, forms sent twice, errors as pages, headers."""

from __future__ import annotations

import re
import threading
from datetime import timedelta

import pytest

from sms_service.accounts import services
from sms_service.accounts.actors import SYSTEM
from sms_service.accounts.models import Account, BrowserSession
from tests.console.conftest import SAME_ORIGIN
from tests.factories import make_unit

PASSWORD, OTHER = "correct horse battery staple", "another long enough secret 7"


@pytest.fixture
def unit(session):
    unit = make_unit(session)
    session.commit()
    return unit


@pytest.fixture
def account(session, unit):
    account = services.create_account(session, SYSTEM, unit_id=unit.id, login="lin", name="林书记", password=PASSWORD)
    session.commit()
    return account


def log_in_by_form(client, login="lin", password=PASSWORD, path="/log-in", **kw):
    return client.post(path, data={"login": login, "password": password}, headers=SAME_ORIGIN, **kw)


def test_a_page_leads_to_the_log_in_and_back(app, account):
    client = app.test_client()
    first = client.get("/me?x=1")
    assert (first.status_code, first.location) == (303, "/log-in?next=/me?x%3D1")
    answer = log_in_by_form(client, path=first.location)
    assert (answer.status_code, answer.location) == (303, "/me?x=1")
    assert "林书记" in client.get("/me").get_data(as_text=True)


@pytest.mark.parametrize("elsewhere", ["https://evil.example/", "//evil.example/", "/\\evil.example", "/a\nb"])
def test_the_log_in_leads_nowhere_else(app, account, elsewhere):
    answer = app.test_client().post(
        "/log-in", query_string={"next": elsewhere}, data={"login": "lin", "password": PASSWORD}, headers=SAME_ORIGIN
    )
    assert answer.location == "/"


def test_every_refused_log_in_says_the_same(app, account):
    pages = {
        log_in_by_form(app.test_client(), login, password).get_data(as_text=True).replace(f'value="{login}"', "")
        for login, password in (("lin", "wrong"), ("nobody", PASSWORD))
    }
    assert len(pages) == 1
    for _ in range(4):
        log_in_by_form(app.test_client(), password="wrong")
    limited = log_in_by_form(app.test_client(), password="wrong")
    assert limited.status_code == 429
    assert "秒后再试" in limited.get_data(as_text=True)


def test_the_cookie_is_unreadable_for_scripts_and_bound_to_https_and_host(app, account):
    answer = log_in_by_form(app.test_client(), base_url="https://sms.example")
    cookie = answer.headers["Set-Cookie"]
    assert cookie.startswith("__Host-sms=")
    assert all(part in cookie for part in ("Secure", "HttpOnly", "SameSite=Lax", "Path=/"))
    assert "Domain" not in cookie
    assert answer.headers["Strict-Transport-Security"]


def test_plain_http_is_for_this_machine_only(app, account):
    refused = log_in_by_form(app.test_client(), base_url="http://sms.example")
    assert refused.status_code == 400
    assert "https" in refused.get_data(as_text=True)
    assert "Set-Cookie" not in refused.headers
    for base_url in ("http://127.0.0.1:8000", "http://[::1]:8000", "http://localhost"):
        assert log_in_by_form(app.test_client(), base_url=base_url).status_code == 303


def test_every_page_forbids_what_it_does_not_need(log_in, unit):
    for path in ("/", "/me", "/nowhere", "/log-in"):
        headers = log_in(unit).get(path).headers
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        assert "unsafe" not in headers["Content-Security-Policy"]
        assert headers["Referrer-Policy"] == "same-origin"
        assert headers["Cache-Control"] == "no-store"


def test_a_form_from_elsewhere_does_nothing(log_in, unit, session):
    visitor = log_in(unit)
    fields = visitor.fields("/me")
    data = {"_csrf": fields["_csrf"], "_once": fields["_once"], "language": "zh"}
    other = log_in(unit).fields("/me")["_csrf"]
    refused = [
        visitor.client.post("/me/preferences", data=data, headers={"Sec-Fetch-Site": "cross-site"}),
        visitor.client.post("/me/preferences", data=data, headers={"Origin": "https://evil.example"}),
        visitor.client.post("/me/preferences", data=data),
        visitor.client.post("/me/preferences", data={**data, "_csrf": other}, headers=SAME_ORIGIN),
        visitor.client.post("/me/preferences", data={**data, "_csrf": "x"}, headers=SAME_ORIGIN),
        visitor.client.post("/me/preferences", data={"_once": fields["_once"]}, headers=SAME_ORIGIN),
    ]
    assert [answer.status_code for answer in refused] == [403] * 6
    assert session.get(Account, visitor.account_id).language == "en"
    by_origin = visitor.client.post("/me/preferences", data=data, headers={"Origin": "http://localhost"})
    assert by_origin.status_code == 303


def test_a_form_sent_twice_acts_once_and_leads_to_the_same(log_in, unit, session):
    visitor = log_in(unit)
    log_in(unit)
    fields = visitor.fields("/me")
    data = {"_csrf": fields["_csrf"], "_once": fields["_once"]}
    answers = [visitor.client.post("/me/sessions/end-others", data=data, headers=SAME_ORIGIN) for _ in range(2)]
    assert [(a.status_code, a.location) for a in answers] == [(303, "/me")] * 2
    assert "All your other sessions have ended." in visitor.get("/me").get_data(as_text=True)
    assert "All your other sessions have ended." not in visitor.get("/me").get_data(as_text=True)


def test_two_at_once_act_once(log_in, unit, app, session):
    visitor = log_in(unit)
    fields = visitor.fields("/me")
    data = {"_csrf": fields["_csrf"], "_once": fields["_once"], "language": "zh"}
    secret = visitor.client.get_cookie("sms").value
    answers = []

    def send():
        client = app.test_client()
        client.set_cookie("sms", secret)
        answers.append(client.post("/me/preferences", data=data, headers=SAME_ORIGIN).location)

    threads = [threading.Thread(target=send) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == ["/me"] * 4


def test_a_form_sent_again_with_other_content_says_so_and_does_nothing(log_in, unit, session):
    visitor = log_in(unit)
    fields = visitor.fields("/me")
    data = {"_csrf": fields["_csrf"], "_once": fields["_once"], "language": "en"}
    visitor.client.post("/me/preferences", data=data, headers=SAME_ORIGIN)
    again = visitor.client.post("/me/preferences", data={**data, "large_text": "true"}, headers=SAME_ORIGIN)
    assert again.status_code == 409
    assert "This form has been sent already" in again.get_data(as_text=True)
    assert not session.get(Account, visitor.account_id).large_text


def test_values_that_cannot_be_used_keep_what_was_written(app, account, session):
    client = app.test_client()
    log_in_by_form(client)
    fields = dict(re.findall(r'name="(_[a-z]+)" value="([^"]*)"', client.get("/me/password").text))
    answer = client.post(
        "/me/password",
        data={**fields, "current_password": PASSWORD, "password": OTHER, "repeated": OTHER + "x"},
        headers=SAME_ORIGIN,
    )
    assert answer.status_code == 422
    assert 'href="#f-repeated"' in answer.text
    assert fields["_once"] in answer.text  # the same form
    done = client.post(
        "/me/password",
        data={**fields, "current_password": PASSWORD, "password": OTHER, "repeated": OTHER},
        headers=SAME_ORIGIN,
    )
    assert done.status_code == 303


def test_a_password_that_somebody_else_set_is_changed_first(app, account, session):
    account = session.get_one(Account, account.id)
    account.password_due = True
    session.commit()
    client = app.test_client()
    log_in_by_form(client)
    assert client.get("/me").location == "/me/password"
    fields = dict(re.findall(r'name="(_[a-z]+)" value="([^"]*)"', client.get("/me/password").text))
    data = {**fields, "current_password": PASSWORD, "password": OTHER, "repeated": OTHER}
    assert client.post("/me/password", data=data, headers=SAME_ORIGIN).location == "/"
    assert client.get("/me").status_code == 200


def test_a_session_that_ended_in_mid_form_loses_nothing(app, account, clock, session):
    client = app.test_client()
    log_in_by_form(client)
    fields = dict(re.findall(r'name="(_[a-z]+)" value="([^"]*)"', client.get("/me").text))
    clock.now += timedelta(minutes=31)
    data = {**fields, "language": "en", "large_text": "true"}
    asked = client.post("/me/preferences", data=data, headers=SAME_ORIGIN)
    assert asked.status_code == 401
    assert 'name="large_text" value="true"' in asked.text
    assert fields["_once"] in asked.text
    wrong = {"language": "en", "large_text": "true", "_once": fields["_once"], "_login": "lin", "_password": "wrong"}
    assert client.post("/me/preferences", data=wrong, headers=SAME_ORIGIN).status_code == 401
    done = client.post("/me/preferences", data={**wrong, "_password": PASSWORD}, headers=SAME_ORIGIN)
    assert (done.status_code, done.location) == (303, "/me")
    session.expire_all()
    assert session.get_one(Account, account.id).large_text
    assert client.get("/me").status_code == 200


def test_a_part_that_refreshes_itself_is_told_to_load_the_page_anew(app, log_in, unit, clock):
    from sms_service.console.pages import _send_to_log_in

    with app.test_request_context("/"):
        answer = _send_to_log_in(True)
    assert (answer.status_code, answer.headers["HX-Refresh"]) == (401, "true")


def test_logging_out_ends_the_session_itself(log_in, unit, session):
    visitor = log_in(unit)
    secret = visitor.client.get_cookie("sms").value
    assert visitor.post("/log-out").location == "/log-in"
    visitor.client.set_cookie("sms", secret)
    assert visitor.get("/me").location.startswith("/log-in")
    assert session.query(BrowserSession).filter(BrowserSession.ended_at.is_not(None)).count() == 1


def test_wrong_addresses_get_a_page_and_those_of_the_api_a_problem(log_in, unit):
    visitor = log_in(unit)
    page = visitor.get("/no/such/page")
    assert (page.status_code, page.mimetype) == (404, "text/html")
    assert visitor.get("/api/v1/no-such-thing").mimetype == "application/problem+json"
    assert visitor.get("/callbacks").mimetype == "application/problem+json"


def test_large_text_and_language_are_the_persons_own(log_in, unit):
    visitor = log_in(unit)
    visitor.post("/me/preferences", data={"language": "zh", "large_text": "true"})
    page = visitor.get("/me").text
    assert '<html lang="zh-Hans" class="large">' in page
    assert '<option value="zh" selected>' in page


def test_the_menu_folds_what_is_not_needed_every_day(log_in, unit):
    """The menu stands twice: in the drawer of a phone, where some of it folds, and beside the page of a desk."""
    drawer = log_in(unit, "officer").get("/").text.partition('class="menu-drawer')[2].partition("<nav")[0]
    daily, _, more = drawer.partition("<details")
    assert 'href="/stops"' in daily
    assert 'href="/templates"' in more
    assert " open" not in more.partition(">")[0]
    opened = log_in(unit, "officer").get("/templates").text.partition('class="menu-drawer')[2]
    assert "<details open>" in opened
    operator = log_in(unit, "operator").get("/").text.partition('class="menu-drawer')[2].partition("<details")[0]
    assert 'href="/gateways"' in operator
    few = log_in(unit, "approver").get("/").text.partition('class="menu-drawer')[2].partition("<nav")[0]
    assert 'href="/trail"' in few


def test_filters_are_folded_until_one_is_set(log_in, unit):
    visitor = log_in(unit, "officer")
    for path, filtered in (("/campaigns", "?status=draft"), ("/templates", "?class=study"), ("/trail", "?logins=true")):
        assert '<details class="fold">' in visitor.get(path).text
        assert '<details class="fold" open>' in visitor.get(path + filtered).text
