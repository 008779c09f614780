"""Sessions of browsers: when they begin, when they end, and that only their digest is kept."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from sms_service.accounts import services, sessions
from sms_service.accounts.actors import SYSTEM, load_actor
from sms_service.accounts.models import Account, BrowserSession
from sms_service.accounts.tokens import NotAuthenticated
from sms_service.errors import Invalid, NotFound
from tests.factories import make_unit

NOW = datetime(2026, 12, 1, 1, 0, tzinfo=UTC)
PASSWORD, OTHER = "correct horse battery staple", "another long enough secret 7"


@pytest.fixture
def account(session: Session) -> Account:
    return services.create_account(
        session, SYSTEM, unit_id=make_unit(session).id, login="lin", name="林书记", password=PASSWORD
    )


def begin(session: Session, account: Account, at: datetime = NOW) -> str:
    return sessions.begin_session(
        session, account.id, user_agent="Firefox " * 50, now=at, random_bytes=secrets.token_bytes
    )


def is_open(session: Session, secret: str, at: datetime, *, acts: bool = True) -> bool:
    try:
        sessions.find_visitor(session, secret, at, acts=acts)
    except NotAuthenticated:
        return False
    return True


def test_a_session_is_found_by_its_secret_of_which_only_the_digest_is_kept(session: Session, account: Account) -> None:
    secret = begin(session, account)
    visitor = sessions.find_visitor(session, secret, NOW)
    assert (visitor.actor.account_id, visitor.name, visitor.password_at) == (account.id, "林书记", NOW)
    kept = session.get_one(BrowserSession, visitor.session_id)
    assert secret.encode() not in kept.digest
    assert len(kept.user_agent) == 200
    assert not is_open(session, secret + "x", NOW)


def test_it_ends_after_half_an_hour_of_silence(session: Session, account: Account) -> None:
    secret = begin(session, account)
    assert is_open(session, secret, NOW + timedelta(minutes=29))
    assert is_open(session, secret, NOW + timedelta(minutes=58))
    assert not is_open(session, secret, NOW + timedelta(minutes=58 + 30))


def test_a_page_that_refreshes_itself_keeps_no_session_open(session: Session, account: Account) -> None:
    secret = begin(session, account)
    assert is_open(session, secret, NOW + timedelta(minutes=29), acts=False)
    assert not is_open(session, secret, NOW + timedelta(minutes=31), acts=False)


def test_it_ends_twelve_hours_after_the_log_in_whatever_is_done(session: Session, account: Account) -> None:
    secret = begin(session, account)
    for quarter in range(1, 48):
        assert is_open(session, secret, NOW + quarter * timedelta(minutes=15))
    assert not is_open(session, secret, NOW + timedelta(hours=12))


def test_one_ends_ones_own_sessions_only(session: Session, account: Account) -> None:
    first, second = begin(session, account), begin(session, account)
    actor = load_actor(session, account.id)
    ended = sessions.find_visitor(session, first, NOW).session_id
    sessions.end_session(session, actor, ended, NOW)
    assert not is_open(session, first, NOW)
    assert [one.id for one in sessions.list_sessions(session, account.id, NOW)] == [
        sessions.find_visitor(session, second, NOW).session_id
    ]
    other = services.create_account(session, SYSTEM, unit_id=account.unit_id, login="wu", name="吴")
    with pytest.raises(NotFound):
        sessions.end_session(session, load_actor(session, other.id), ended, NOW)


def test_a_new_password_ends_all_but_the_session_it_was_changed_in(session: Session, account: Account) -> None:
    first, second = begin(session, account), begin(session, account)
    kept = sessions.find_visitor(session, second, NOW).session_id
    actor = load_actor(session, account.id)
    with pytest.raises(Invalid):
        services.change_own_password(session, actor, current=PASSWORD, new=PASSWORD)
    services.change_own_password(session, actor, current=PASSWORD, new=OTHER, keep_session=kept)
    assert (is_open(session, first, NOW), is_open(session, second, NOW)) == (False, True)


def test_a_disabled_account_has_no_session_even_when_it_is_enabled_again(session: Session, account: Account) -> None:
    secret = begin(session, account)
    services.change_account(session, SYSTEM, account.id, now=NOW, disabled=True)
    services.change_account(session, SYSTEM, account.id, now=NOW, disabled=False)
    assert not is_open(session, secret, NOW)


def test_a_password_that_somebody_else_set_has_to_be_changed(session: Session, account: Account) -> None:
    assert not account.password_due  # the service itself made it
    services.grant_role(session, SYSTEM, account.id, role="administrator", unit_id=account.unit_id)
    administrator = load_actor(session, account.id)
    made = services.create_account(
        session, administrator, unit_id=account.unit_id, login="wu", name="吴", password=PASSWORD
    )
    assert made.password_due
    services.change_own_password(session, load_actor(session, made.id), current=PASSWORD, new=OTHER)
    assert not made.password_due


def test_old_sessions_are_swept(session: Session, account: Account) -> None:
    begin(session, account, datetime.now(UTC) - timedelta(days=31))
    begin(session, account, datetime.now(UTC))
    assert sessions.forget_old_sessions(session) == 1
    assert len(session.scalars(select(BrowserSession)).all()) == 1
