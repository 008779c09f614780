"""What roles allow, and how far they reach."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from factories import make_account, make_actor, make_unit
from hypothesis import given
from hypothesis import strategies as st

from sms_service.accounts.actors import SYSTEM, Actor, Grant, load_actor
from sms_service.accounts.models import ROLES, Account, RoleGrant
from sms_service.accounts.permissions import PERMISSIONS, Permission
from sms_service.errors import Forbidden, NotFound

paths = st.lists(st.integers(1, 12), min_size=1, max_size=4).map(lambda ids: "/" + "/".join(map(str, ids)) + "/")
grants = st.builds(lambda role, path: Grant(role, int(path.split("/")[-2]), path), st.sampled_from(ROLES), paths)
actors = st.builds(lambda held: Actor(1, "x", tuple(held)), st.lists(grants, max_size=6))


def test_every_role_that_can_be_granted_has_its_permissions_and_only_the_service_has_all():
    assert set(PERMISSIONS) == {*ROLES, "system", "delegate"}
    assert [role for role in PERMISSIONS if PERMISSIONS[role] == set(Permission)] == ["system"]
    assert PERMISSIONS["auditor"] == {Permission.read}
    # Whoever writes a campaign does not approve it.
    assert not any({Permission.edit_campaigns, Permission.approve_campaigns} <= PERMISSIONS[role] for role in ROLES)


@given(actors, st.sampled_from(list(Permission)), paths)
def test_a_scope_holds_no_path_within_another_and_reaches_what_the_grants_reach(actor, permission, path):
    scope = actor.scope(permission)
    assert not any(a != b and a.startswith(b) for a in scope for b in scope)
    reached = any(permission in PERMISSIONS[grant.role] and path.startswith(grant.path) for grant in actor.grants)
    assert actor.can(permission, path) == any(path.startswith(held) for held in scope) == reached


@given(actors, st.sampled_from(list(Permission)), paths)
def test_power_over_a_unit_is_power_over_everything_below(actor, permission, path):
    if actor.can(permission, path):
        assert actor.can(permission, path + "77/")


def test_a_unit_whose_number_begins_like_anothers_is_not_within_it():
    actor = Actor(1, "x", (Grant("officer", 5, "/1/5/"),))
    assert actor.can(Permission.read, "/1/5/9/")
    assert not actor.can(Permission.read, "/1/50/")
    with pytest.raises(Forbidden, match="x does not hold the permission read") as caught:
        actor.require(Permission.read, "/1/50/")
    assert "50" not in str(caught.value)


def test_the_service_reaches_everything():
    assert SYSTEM.account_id is None
    assert all(SYSTEM.can(permission, "/1/2/") for permission in Permission)


def test_an_actor_is_loaded_with_the_paths_its_units_have_now(session):
    city = make_unit(session)
    one, two = make_unit(session, parent=city), make_unit(session, parent=city)
    account = make_account(session, one, roles=("officer",))
    session.add(RoleGrant(account_id=account.id, role="auditor", unit_id=city.id))
    session.flush()
    actor = load_actor(session, account.id)
    assert actor.scope(Permission.read) == (city.path,)
    assert actor.scope(Permission.edit_campaigns) == (one.path,)
    one.path = f"{two.path}{one.id}/"
    session.flush()
    assert load_actor(session, account.id).scope(Permission.edit_campaigns) == (f"{two.path}{one.id}/",)


def test_a_disabled_or_missing_account_acts_no_more(session):
    actor = make_actor(session, make_unit(session))
    session.get_one(Account, actor.account_id).disabled_at = datetime(2026, 1, 1, tzinfo=UTC)
    with pytest.raises(Forbidden, match="disabled"):
        load_actor(session, actor.account_id)
    with pytest.raises(NotFound):
        load_actor(session, 12345)
