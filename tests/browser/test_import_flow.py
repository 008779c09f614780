"""An officer's list in a browser, with a worker behind it: three clicks to the report, five more until all is in."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from sms_service.audience.import_work import ImportingThread
from sms_service.directory.models import Person
from tests.browser.conftest import DESK, PHONE
from tests.browser.hands import Hands
from tests.factories import make_unit

LIST = "序号,姓名,联系电话,所在党支部\n1,林一,13900000001,第一党支部\n2,林二,13900000002,第七党支部\n"
PATIENCE_MS = 60_000


@pytest.fixture
def city(session):
    city = make_unit(session, name="云州市")
    make_unit(session, parent=city, name="第一党支部", level="branch")
    session.commit()
    return city


@pytest.fixture
def worker(database):
    """The thread that a worker has for imports."""
    importing = ImportingThread(database)
    importing.start()
    yield importing
    importing.close()


def choose(hands, content):
    """One click on the field, and the file in the window that opens."""
    hands.taps += 1
    hands.find("#f-file").set_input_files(
        {"name": "花名册.csv", "mimeType": "text/csv", "buffer": content.encode("gb18030")}
    )


def wait_for(hands, selector, javascript):
    """The page refreshes itself until the worker is through; without JavaScript by its own means."""
    if not javascript:  # the page's meta refresh, which a test does not wait for
        while not hands.tab.page.locator(selector).count():
            hands.tab.page.reload()
    hands.tab.page.locator(selector).first.wait_for(timeout=PATIENCE_MS)


@pytest.mark.parametrize(("size", "language", "javascript"), [(DESK, "zh", True), (PHONE, "en", False)])
def test_a_list_comes_in(open_tab, begin, session, worker, city, size, language, javascript):
    secret = begin(city, "officer", language=language)
    hands = Hands(open_tab(size, language, javascript, secret))
    if size is DESK:
        hands.tab.go("/")
        hands.tap("a[href='/imports']")
    else:  # where the menu has to be opened first
        hands.tab.go("/imports")
        hands.taps += 1
    choose(hands, LIST)
    hands.tap("form[action='/imports'] button")
    worker.wake()
    wait_for(hands, "form[action$='/apply']", javascript)
    assert hands.taps == 3
    assert not hands.tab.is_too_wide()
    assert session.scalars(select(Person)).all() == [], "nothing is written before the button"
    session.rollback()

    with hands.tab.page.expect_download() as download:
        hands.open("form[action$='/refused'] button")
    mended = download.value.path().read_bytes().decode("gb18030").replace("第七党支部", "第一党支部")
    hands.tap("form[action$='/apply'] button")
    worker.wake()
    wait_for(hands, "form[action='/imports'] #f-file", javascript)
    assert session.scalars(select(Person.name)).all() == ["林一"]
    session.rollback()
    choose(hands, mended)
    hands.tap("form[action='/imports'] button")
    worker.wake()
    wait_for(hands, "form[action$='/apply']", javascript)
    hands.tap("form[action$='/apply'] button")
    assert hands.taps == 3 + 5
    worker.wake()
    wait_for(hands, ".note.good, .status.good", javascript)
    assert session.scalars(select(Person.name).order_by(Person.id)).all() == ["林一", "林二"]
    assert not hands.tab.is_too_wide()
