"""Who may make, change and empower whom."""

from __future__ import annotations

import secrets
import threading
from datetime import UTC, datetime

import pytest
from factories import make_account, make_actor, make_unit
from sqlalchemy import select
from sqlalchemy.orm import Session

from sms_service.accounts import passwords, services, tokens
from sms_service.accounts.actors import SYSTEM, load_actor
from sms_service.accounts.models import Account, RoleGrant
from sms_service.audit.models import TrailEntry
from sms_service.errors import Conflict, Forbidden, Invalid, NotFound
from tests.accounts.logging_in import log_in

NOW = datetime(2026, 5, 1, 9, tzinfo=UTC)
PASSWORD = "correct horse battery"


@pytest.fixture
def tree(session):
    city = make_unit(session, code="01")
    return {"city": city, "one": make_unit(session, parent=city), "two": make_unit(session, parent=city)}


@pytest.fixture
def district(session, tree):
    return make_actor(session, tree["one"], ("administrator",), "district")


def acts(session, actor):
    entries = select(TrailEntry.act, TrailEntry.unit_path).filter_by(account_id=actor.account_id)
    return session.execute(entries.order_by(TrailEntry.id)).all()


def test_an_administrator_makes_accounts_in_scope_and_the_trail_says_so(session, tree, district):
    made = services.create_account(
        session, district, unit_id=tree["one"].id, login="li.na", name="李娜", password=PASSWORD
    )
    services.grant_role(session, district, made.id, role="officer", unit_id=tree["one"].id)
    assert load_actor(session, made.id).grants[0].role == "officer"
    assert log_in(session, "li.na", PASSWORD).actor.account_id == made.id
    assert acts(session, district) == [("account.create", tree["one"].path), ("role.grant", tree["one"].path)]
    for entry in session.scalars(select(TrailEntry)):
        assert PASSWORD not in str(entry.details)


def test_nobody_makes_accounts_elsewhere(session, tree, district):
    for unit in (tree["city"], tree["two"]):
        with pytest.raises(Forbidden):
            services.create_account(session, district, unit_id=unit.id, login="li.na", name="李娜")
    with pytest.raises(NotFound):
        services.create_account(session, district, unit_id=999, login="li.na", name="李娜")
    officer = make_actor(session, tree["one"], ("officer",))
    with pytest.raises(Forbidden):
        services.create_account(session, officer, unit_id=tree["one"].id, login="li.na", name="李娜")


@pytest.mark.parametrize("login", ["", "a", "Li", "李娜", "a:b", "-a", "a" * 65, "a b", "a\n"])
def test_a_login_has_a_plain_form(session, tree, login):
    with pytest.raises(Invalid) as caught:
        services.create_account(session, SYSTEM, unit_id=tree["one"].id, login=login, name="李娜")
    assert caught.value.field == "login"


def test_a_login_is_taken_once(session, tree, district):
    with pytest.raises(Conflict, match="taken"):
        services.create_account(session, SYSTEM, unit_id=tree["city"].id, login="district", name="x")


def test_roles_are_granted_on_units_in_scope_to_accounts_in_scope_and_never_to_oneself(session, tree, district):
    mine, other = make_account(session, tree["one"]), make_account(session, tree["two"])
    for account, unit in ((mine, tree["two"]), (mine, tree["city"]), (other, tree["one"])):
        with pytest.raises(Forbidden):
            services.grant_role(session, district, account.id, role="auditor", unit_id=unit.id)
    with pytest.raises(Forbidden, match="own account"):
        services.grant_role(session, district, district.account_id, role="approver", unit_id=tree["one"].id)
    with pytest.raises(Invalid, match="administrator, officer"):
        services.grant_role(session, district, mine.id, role="system", unit_id=tree["one"].id)
    first = services.grant_role(session, district, mine.id, role="auditor", unit_id=tree["one"].id)
    assert services.grant_role(session, district, mine.id, role="auditor", unit_id=tree["one"].id).id == first.id


def test_an_account_with_power_beyond_ones_own_cannot_be_taken_over(session, tree, district):
    powerful = make_account(session, tree["one"])
    services.grant_role(session, SYSTEM, powerful.id, role="officer", unit_id=tree["city"].id)
    for change in ({"password": PASSWORD}, {"disabled": True}, {"name": "x"}):
        with pytest.raises(Forbidden):
            services.change_account(session, district, powerful.id, now=NOW, **change)
    with pytest.raises(Forbidden):
        services.grant_role(session, district, powerful.id, role="auditor", unit_id=tree["one"].id)
    token, _ = tokens.issue_token(session, SYSTEM, powerful.id, "x", now=NOW, random_bytes=secrets.token_bytes)
    with pytest.raises(Forbidden):
        tokens.revoke_token(session, district, token.id, now=NOW)
    assert token.revoked_at is None
    below = services.grant_role(session, SYSTEM, powerful.id, role="approver", unit_id=tree["one"].id)
    with pytest.raises(Forbidden, match="a role above"):
        services.revoke_role(session, district, powerful.id, below.id)


def test_what_is_refused_names_nothing_of_another_district(session, tree, district):
    elsewhere = make_account(session, tree["two"], "zhao.min")
    with pytest.raises(Forbidden) as caught:
        services.find_account(session, district, elsewhere.id)
    assert not {"zhao.min", tree["two"].code, str(tree["two"].id)} & {*str(caught.value).split()}


def test_an_account_remembers_who_made_it_and_who_else_set_its_password(session, tree, district):
    made = services.create_account(
        session, district, unit_id=tree["one"].id, login="li.na", name="x", password=PASSWORD
    )
    assert (made.created_by, made.password_set_by) == (district.account_id, district.account_id)
    # Whoever set it knows it, so that "the account's own" change proves nothing.
    services.grant_role(session, SYSTEM, made.id, role="administrator", unit_id=tree["one"].id)
    own = load_actor(session, made.id)
    services.change_own_password(session, own, current=PASSWORD, new=PASSWORD + "!")
    services.change_account(session, own, made.id, now=NOW, password=PASSWORD)
    assert made.password_set_by == district.account_id
    other = make_actor(session, tree["city"], ("administrator",))
    services.change_account(session, other, made.id, now=NOW, password=PASSWORD)
    assert (made.created_by, made.password_set_by) == (district.account_id, other.account_id)
    services.change_account(session, SYSTEM, made.id, now=NOW, password=PASSWORD)
    assert made.password_set_by is None


def test_a_role_on_a_unit_in_scope_can_be_taken_from_anybody(session, tree, district):
    outsider = make_account(session, tree["two"], roles=())
    grant = services.grant_role(session, SYSTEM, outsider.id, role="auditor", unit_id=tree["one"].id)
    kept = services.grant_role(session, SYSTEM, outsider.id, role="auditor", unit_id=tree["two"].id)
    with pytest.raises(Forbidden):
        services.revoke_role(session, district, outsider.id, kept.id)
    with pytest.raises(NotFound):
        services.revoke_role(session, district, outsider.id + 1000, grant.id)
    services.revoke_role(session, district, outsider.id, grant.id)
    assert session.scalars(select(RoleGrant.id).filter_by(account_id=outsider.id)).all() == [kept.id]


def test_an_account_is_changed_disabled_and_enabled_with_an_entry_for_each_act(session, tree):
    administrator = make_actor(session, tree["city"], ("administrator",))
    account = make_account(session, tree["one"])
    services.change_account(
        session,
        administrator,
        account.id,
        now=NOW,
        name="新名",
        unit_id=tree["two"].id,
        password=PASSWORD,
        disabled=True,
    )
    services.change_account(session, administrator, account.id, now=NOW, name="新名", disabled=True)
    assert (account.name, account.unit_id, account.disabled_at) == ("新名", tree["two"].id, NOW)
    services.change_account(session, administrator, account.id, now=NOW, disabled=False)
    assert account.disabled_at is None
    assert [act for act, _ in acts(session, administrator)] == [
        "account.move",
        "account.rename",
        "account.set_password",
        "account.disable",
        "account.enable",
    ]


def test_ones_own_password_is_changed_with_the_present_one_only(session, tree):
    actor = make_actor(session, tree["one"], ("auditor",), "li.na")
    session.get_one(Account, actor.account_id).password_hash = passwords.hash_password(PASSWORD)
    session.flush()
    with pytest.raises(Invalid) as caught:
        services.change_own_password(session, actor, current="wrong", new="another good password")
    assert (caught.value.field, caught.value.value) == ("current_password", None)
    services.change_own_password(session, actor, current=PASSWORD, new="another good password")
    assert log_in(session, "li.na", "another good password")


def test_the_last_administrator_of_the_whole_tree_stays(session, tree):
    first = make_account(session, tree["city"], roles=("administrator",))
    grant_id = session.scalars(select(RoleGrant.id).filter_by(account_id=first.id)).one()
    make_account(session, tree["city"], roles=("administrator",), disabled_at=NOW)
    for attempt in (
        lambda: services.change_account(session, SYSTEM, first.id, now=NOW, disabled=True),
        lambda: services.revoke_role(session, SYSTEM, first.id, grant_id),
    ):
        with pytest.raises(Conflict, match="last administrator"):
            attempt()
    make_account(session, tree["city"], roles=("administrator",))
    services.revoke_role(session, SYSTEM, first.id, grant_id)


def test_two_administrators_who_disable_each_other_at_once_do_not_both_succeed(database, session, tree):
    pair = [make_account(session, tree["city"], roles=("administrator",)) for _ in range(2)]
    actors = [load_actor(session, account.id) for account in pair]
    session.commit()
    barrier, outcomes = threading.Barrier(2), []

    def disable(actor, victim):
        with Session(database.engine) as own:
            barrier.wait()
            try:
                services.change_account(own, actor, victim.id, now=NOW, disabled=True)
                own.commit()
                outcomes.append("done")
            except Conflict:
                outcomes.append("refused")

    threads = [threading.Thread(target=disable, args=pair_) for pair_ in zip(actors, reversed(pair), strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(outcomes) == ["done", "refused"]
    left = session.scalars(select(Account.id).where(Account.disabled_at.is_(None))).all()
    assert len(left) == 1
