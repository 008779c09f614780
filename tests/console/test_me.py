"""One's own page: browsers by names that people know."""

from __future__ import annotations

import pytest

from sms_service.console.browsers import name_browser
from tests.factories import make_unit

MOZILLA = "Mozilla/5.0"
WINDOWS, MAC, IPHONE = "(Windows NT 10.0; Win64; x64)", "(Macintosh; Intel Mac OS X 10_15_7)", "(iPhone; CPU iPhone OS"
ANDROID, LINUX = "(Linux; Android 10; K)", "(X11; Linux x86_64)"
CHROME = "AppleWebKit/537.36 (KHTML, like Gecko) Chrome/124.0.0.0 Safari/537.36"


@pytest.mark.parametrize(
    ("user_agent", "name"),
    [
        (f"{MOZILLA} {WINDOWS} {CHROME}", "Chrome on Windows"),
        (f"{MOZILLA} {WINDOWS} {CHROME} Edg/124.0.0.0", "Edge on Windows"),
        (f"{MOZILLA} {MAC} AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.4 Safari/605.1.15", "Safari on macOS"),
        (
            f"{MOZILLA} {IPHONE} 17_4 like Mac OS X) AppleWebKit/605 Version/17.4 Mobile/15E148 Safari/604.1",
            "Safari on iOS",
        ),
        (
            f"{MOZILLA} {IPHONE} 17_4 like Mac OS X) AppleWebKit/605 CriOS/124.0 Mobile/15E148 Safari/604.1",
            "Chrome on iOS",
        ),
        (
            f"{MOZILLA} {IPHONE} 17_4 like Mac OS X) AppleWebKit/605 Mobile/15E148 MicroMessenger/8.0.49",
            "WeChat on iOS",
        ),
        (f"{MOZILLA} {ANDROID} {CHROME} MMWEBID/1 MicroMessenger/8.0.49.2600 WeChat/arm64", "WeChat on Android"),
        (f"{MOZILLA} {ANDROID} {CHROME}", "Chrome on Android"),
        (f"{MOZILLA} (X11; Linux x86_64; rv:125.0) Gecko/20100101 Firefox/125.0", "Firefox on Linux"),
        (f"{MOZILLA} {LINUX} {CHROME}", "Chrome on Linux"),
        ("curl/8.5.0", "an unknown browser"),
        ("", "an unknown browser"),
        ("SomeApp (Windows NT 10.0)", "a browser on Windows"),
    ],
)
def test_a_browser_has_a_short_name(user_agent, name):
    assert name_browser(user_agent) == name


def test_the_page_shows_it(log_in, session):
    unit = make_unit(session)
    session.commit()
    page = log_in(unit).get("/me").text
    assert "an unknown browser" in page
    assert "a browser</strong>" not in page


def test_it_says_what_one_may_do_and_not_what_the_role_is_called(log_in, session):
    unit = make_unit(session, name="幸福支部", level="branch")
    page = log_in(unit, "officer", language="zh").get("/me").text
    assert "给幸福支部的人员编写和发送短信" in page
    assert "经办人" not in page
