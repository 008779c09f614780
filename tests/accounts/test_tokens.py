"""Tokens and passwords: issued once, kept as digests, refused as soon as they should be."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime, timedelta

import pytest
from factories import make_account, make_actor, make_unit
from sqlalchemy import select

from sms_service.accounts import passwords, services, tokens
from sms_service.accounts.actors import SYSTEM, load_actor
from sms_service.accounts.guessable import check_unguessable
from sms_service.accounts.models import Token
from sms_service.accounts.tokens import NotAuthenticated
from sms_service.audit.models import TrailEntry
from sms_service.errors import Conflict, Forbidden, Invalid
from tests.accounts.logging_in import log_in

NOW = datetime(2026, 5, 1, 9, tzinfo=UTC)
PASSWORD = "correct horse battery"
SECOND = timedelta(seconds=1)


def issue(session, account, actor=SYSTEM, random_bytes=secrets.token_bytes, **kw):
    return tokens.issue_token(session, actor, account.id, "test", now=NOW, random_bytes=random_bytes, **kw)


@pytest.fixture
def account(session):
    return make_account(session, make_unit(session), "li.na")


def test_a_token_names_its_account_and_is_kept_as_a_digest_only(session, account):
    token, secret = issue(session, account, random_bytes=lambda n: bytes(range(n)))
    assert secret == "sms_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"
    caller = tokens.authenticate_token(session, secret, NOW)
    assert (caller.actor.login, caller.actor.account_id, caller.token_id) == ("li.na", account.id, token.id)
    session.expire_all()
    row = session.connection().exec_driver_sql("SELECT row_to_json(tokens)::text FROM tokens").scalar_one()
    assert secret.removeprefix("sms_")[:12] not in row


def test_a_token_ends_when_it_says(session, account):
    token, secret = issue(session, account)
    assert token.expires_at == NOW + timedelta(days=90)
    tokens.authenticate_token(session, secret, token.expires_at - SECOND)
    with pytest.raises(NotAuthenticated, match="expired"):
        tokens.authenticate_token(session, secret, token.expires_at)


@pytest.mark.parametrize("life", [timedelta(0), -SECOND, timedelta(days=365) + SECOND])
def test_a_token_may_not_live_for_ever_nor_end_before_it_begins(session, account, life):
    with pytest.raises(Invalid) as caught:
        issue(session, account, expires_at=NOW + life)
    assert caught.value.field == "expires_at"
    assert issue(session, account, expires_at=NOW + timedelta(days=365))[0].id


def test_a_revoked_token_and_a_disabled_account_are_refused_at_once(session, account):
    token, secret = issue(session, account)
    tokens.revoke_token(session, SYSTEM, token.id, now=NOW)
    with pytest.raises(NotAuthenticated, match="revoked"):
        tokens.authenticate_token(session, secret, NOW)
    _, other = issue(session, account)
    account.disabled_at = NOW
    session.flush()
    with pytest.raises(NotAuthenticated, match="disabled"):
        tokens.authenticate_token(session, other, NOW)
    with pytest.raises(Conflict):
        issue(session, account)


@pytest.mark.parametrize(
    "raw", ["", "sms_", "sms_" + "A" * 42, "sms_" + "A" * 44, "SMS_" + "A" * 43, "sms_" + "é" * 43]
)
def test_what_has_not_the_form_of_a_token_is_no_token(session, raw):
    with pytest.raises(NotAuthenticated, match="malformed"):
        tokens.authenticate_token(session, raw, NOW)


def test_the_last_use_is_noted_once_a_minute(session, account):
    token, secret = issue(session, account)
    noted = []
    for moment in (NOW, NOW + 59 * SECOND, NOW + 60 * SECOND):
        tokens.authenticate_token(session, secret, moment)
        session.refresh(token)
        noted.append(token.last_used_at)
    assert noted == [NOW, NOW, NOW + 60 * SECOND]


def test_one_issues_tokens_for_oneself_only_and_administrators_revoke_those_in_scope(session):
    city = make_unit(session)
    one, two = make_unit(session, parent=city), make_unit(session, parent=city)
    account, stranger = make_account(session, one), make_actor(session, two, ("administrator",))
    token, _ = issue(session, account)
    with pytest.raises(Forbidden):
        issue(session, account, actor=stranger)
    with pytest.raises(Forbidden):
        tokens.revoke_token(session, stranger, token.id, now=NOW)
    with pytest.raises(Forbidden):
        tokens.revoke_token(session, make_actor(session, one, ("officer",)), token.id, now=NOW)
    assert token.revoked_at is None

    administrator = make_actor(session, city, ("administrator",))
    tokens.revoke_token(session, administrator, token.id, now=NOW)
    tokens.revoke_token(session, administrator, token.id, now=NOW + SECOND)
    assert token.revoked_at == NOW
    acts = session.execute(select(TrailEntry.act, TrailEntry.account_id, TrailEntry.target_id)).all()
    assert acts == [
        ("token.issue", None, str(token.id)),
        ("token.revoke", administrator.account_id, str(token.id)),
    ]


def test_a_password_is_kept_as_scrypt_and_opens_its_account_only(session):
    unit = make_unit(session)
    make_account(session, unit, "li.na", password_hash=passwords.hash_password("十二个字以上的好密码没错"))
    make_account(session, unit, "robot")
    assert log_in(session, "li.na", "十二个字以上的好密码没错").actor.login == "li.na"
    refused = []
    for login, password in [
        ("li.na", "十二个字以上的好密码没有"),
        ("li.na", ""),
        ("nobody", "十二个字以上的好密码没错"),
        ("robot", "十二个字以上的好密码没错"),
        ("li.na\x00", "十二个字以上的好密码没错"),
    ]:
        with pytest.raises(NotAuthenticated) as caught:
            log_in(session, login, password)
        refused.append(str(caught.value))
    assert len(set(refused)) == 1, "nobody learns which logins exist"


@pytest.mark.parametrize("length", [0, 11, 129])
def test_a_password_of_the_wrong_length_is_refused_and_not_repeated(length):
    with pytest.raises(Invalid) as caught:
        passwords.hash_password("x" * length)
    assert caught.value.value is None
    assert passwords.hash_password("x" * 128).startswith("scrypt:")


@pytest.mark.parametrize(
    "password",
    [
        "123456123456",
        "password1234",
        "qwertyuiop12",
        "1qaz2wsx3edc",
        "aaaaaaaaaaaa",
        "Passw0rd!2026",
        "woaini1314520",
        "5201314woaini",
        "zhongguo12345",
        "admin123456789",
        "dangyuan2026!",
        "我爱你我爱你我爱你我爱你",
        "li.na12345678",
        "xK!13800138000",
        "LI.NA-Xj4kd92Lq",
    ],
)
def test_a_password_that_is_tried_first_is_refused(password):
    with pytest.raises(Invalid) as caught:
        check_unguessable(password, "li.na", "李娜")
    assert (caught.value.field, caught.value.value) == ("password", None)


@pytest.mark.parametrize(
    "password", ["correct horse battery", "十二个字以上的好密码没错", "Xj4!kd92Lq8z", "h" + "xj4 kd92 " * 14]
)
def test_a_password_that_is_none_of_these_is_taken(password):
    check_unguessable(password, "li.na", "李娜")


def test_a_new_password_ends_every_token(session, account):
    other = make_account(session, make_unit(session))
    services.change_account(session, SYSTEM, account.id, now=NOW, password=PASSWORD)
    for change in (
        lambda: services.change_account(session, SYSTEM, account.id, now=NOW, password="another good password"),
        lambda: services.change_own_password(
            session, load_actor(session, account.id), current="another good password", new=PASSWORD
        ),
    ):
        (_, one), (_, two), (_, kept) = issue(session, account), issue(session, account), issue(session, other)
        change()
        for secret in (one, two):
            with pytest.raises(NotAuthenticated):
                tokens.authenticate_token(session, secret, NOW + SECOND)
        tokens.authenticate_token(session, kept, NOW + SECOND)


def test_a_missing_password_costs_the_same_work(session, monkeypatch):
    """Not a matter of measured time: the same hash function runs on parameters as dear."""
    checked = []
    check = passwords.check_password_hash
    monkeypatch.setattr(
        passwords, "check_password_hash", lambda kept, given: checked.append(kept) or check(kept, given)
    )
    make_account(session, make_unit(session), "li.na", password_hash=passwords.hash_password("correct horse battery"))
    for login in ("li.na", "nobody"):
        with pytest.raises(NotAuthenticated):
            log_in(session, login, "wrong horse battery")
    assert len({(kept.split("$")[0], len(kept.split("$")[1]), len(kept.split("$")[2])) for kept in checked}) == 1
    assert len(checked) == 2


def test_no_token_row_is_left_by_a_refusal(session, account):
    with pytest.raises(Invalid):
        issue(session, account, expires_at=NOW)
    assert session.scalars(select(Token)).all() == []
