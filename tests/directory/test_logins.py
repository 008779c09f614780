"""Many log-ins at once: what becomes of each row, that just this is made, and once."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from sms_service.accounts import passwords, services
from sms_service.accounts.actors import SYSTEM, load_actor
from sms_service.accounts.models import Account, RoleGrant
from sms_service.accounts.permissions import Permission
from sms_service.audit.models import TrailEntry
from sms_service.directory import contacts, logins, people
from sms_service.directory.logins import LoginRow, LoginState
from sms_service.directory.models import Unit
from sms_service.errors import Conflict, Forbidden, Invalid
from tests.factories import make_account, make_actor, make_person, make_unit


@pytest.fixture
def street(session: Session) -> Unit:
    """A street with the branches 0101-A and 0101-B."""
    street = make_unit(session, code="0101", name="和平街道", parent=make_unit(session), level="street")
    for letter in "AB":
        make_unit(session, code=f"0101-{letter}", name=f"{letter}支部", parent=street, level="branch")
    return street


def told(plan: logins.LoginPlan) -> list[tuple[str, str | None]]:
    return [(row.state.value, row.login if row.why is None else str(row.why)) for row in plan.rows]


def make(session: Session, actor: object, street: Unit, rows: list[LoginRow], role: str = "officer") -> list[object]:
    plan = logins.plan_logins(session, actor, street.id, rows, role)  # type: ignore[arg-type]
    return logins.make_logins(  # type: ignore[return-value]
        session,
        actor,
        street.id,
        rows,
        role,
        plan.digest,
        secrets.token_bytes,  # type: ignore[arg-type]
    )


def test_a_file_says_of_each_row_what_becomes_of_it(session: Session, street: Unit) -> None:
    branch = session.scalars(select(Unit).where(Unit.code == "0101-A")).one()
    make_account(session, branch, "zhou", name="周一")
    make_account(session, branch, "taken")
    make_unit(session, code="0999")
    file = """登录账号,姓名,组织编码,备注
,周一,0101-A,有账号
,赵 二,0101-A,
,钱三,０１０１-A,
SUN.si,孙四,0101-B,
taken,李五,0101-B,
sun.si,吴六,0101-B,
坏 名,郑七,0101-B,
,,0101-B,
,王八,,
,冯九,0999,
,陈十,7777,
,赵二,0101-A,
"""
    rows = logins.read_login_rows(file.encode("gb18030"))
    assert [row.row for row in rows] == list(range(2, 14))
    actor = make_actor(session, street, ("administrator",))
    before = session.scalars(select(Account.id)).all()
    plan = logins.plan_logins(session, actor, street.id, rows, "officer")
    assert told(plan) == [
        ("exists", "zhou"),
        ("create", "0101-a"),
        ("create", "0101-a-2"),
        ("create", "sun.si"),
        ("refused", "the login is taken; choose another"),
        ("refused", "the login is taken; choose another"),
        ("refused", str(services.LOGIN_RULE)),
        ("refused", "must be a name of 1 to 100 characters"),
        ("refused", "is missing: it says which unit the person belongs to"),
        ("refused", "is no unit of those for which the list is"),
        ("refused", "there is no unit with this code"),
        ("refused", "row 3 has the same person in the same unit"),
    ]
    assert session.scalars(select(Account.id)).all() == before, "a plan makes nothing"


def test_logins_are_made_all_at_once_with_passwords_that_are_due(session: Session, street: Unit) -> None:
    actor = make_actor(session, street, ("administrator",))
    rows = [LoginRow(2, "赵二", "0101-A", None), LoginRow(3, "孙四", "0101-B", None)]
    made = make(session, actor, street, rows)
    assert [(one.login, one.name, one.unit) for one in made] == [  # type: ignore[attr-defined]
        ("0101-a", "赵二", "A支部"), ("0101-b", "孙四", "B支部"),
    ]  # fmt: skip
    for one in made:
        account = session.get_one(Account, one.account_id)  # type: ignore[attr-defined]
        found = passwords.find_login(session, account.login)
        assert passwords.check_login(found, one.password) == account.id  # type: ignore[attr-defined]
        assert not passwords.check_password(account.password_hash, one.password + "x")  # type: ignore[attr-defined]
        assert (account.password_due, account.created_by) == (True, actor.account_id)
        unit = session.get_one(Unit, account.unit_id)
        grants = load_actor(session, account.id)
        assert grants.scope(Permission.edit_campaigns) == (unit.path,)
        assert one.password not in str(account.password_hash)  # type: ignore[attr-defined]
    acts = session.scalars(select(TrailEntry).order_by(TrailEntry.id)).all()
    assert [entry.act for entry in acts] == ["account.create", "role.grant"] * 2
    assert not any(one.password in str(entry.details) for one in made for entry in acts)  # type: ignore[attr-defined]
    again = logins.plan_logins(session, actor, street.id, rows, "officer")
    assert told(again) == [("exists", "0101-a"), ("exists", "0101-b")]
    assert make(session, actor, street, rows) == [], "the same list once more makes nothing"


def test_a_password_of_ones_own_ends_the_first(session: Session, street: Unit) -> None:
    (one,) = make(session, SYSTEM, street, [LoginRow(2, "赵二", "0101-A", None)])
    actor = load_actor(session, one.account_id)  # type: ignore[attr-defined]
    own = "云海间的灯塔-一九四九年"
    services.change_own_password(session, actor, current=one.password, new=own)  # type: ignore[attr-defined]
    account = session.get_one(Account, one.account_id)  # type: ignore[attr-defined]
    assert account.password_due is False
    assert passwords.check_password(account.password_hash, own)
    assert account.password_hash is not None
    assert account.password_hash.startswith(passwords.METHOD), "a password that a person thought of costs a guess"
    # Lost: whoever has the right on the unit sets a new first one.
    services.change_account(
        session, make_actor(session, street, ("administrator",)), account.id,
        now=datetime.now(UTC), password=passwords.make_password(secrets.token_bytes),
    )  # fmt: skip
    assert account.password_due is True


def test_what_changed_since_it_was_shown_is_not_made(session: Session, street: Unit) -> None:
    actor = make_actor(session, street, ("administrator",))
    rows = [LoginRow(2, "赵二", "0101-A", None), LoginRow(3, "孙四", "0101-B", None)]
    plan = logins.plan_logins(session, actor, street.id, rows, "officer")
    make_account(session, session.scalars(select(Unit).where(Unit.code == "0101-B")).one(), name="孙四")
    with pytest.raises(Conflict, match="other logins"):
        logins.make_logins(session, actor, street.id, rows, "officer", plan.digest, secrets.token_bytes)
    with pytest.raises(Conflict, match="other logins"):
        logins.make_logins(session, actor, street.id, rows, "auditor", plan.digest, secrets.token_bytes)
    assert session.scalars(select(RoleGrant).where(RoleGrant.role == "auditor")).all() == []


def test_who_holds_a_role_below_a_unit(session: Session, street: Unit) -> None:
    one, two = session.scalars(select(Unit).where(Unit.level == "branch").order_by(Unit.code))
    gone = make_person(session, one, "走了")
    for person, unit in (
        (make_person(session, one, "赵二"), one),
        (make_person(session, one, "孙四"), two),
        (gone, two),
    ):
        contacts.give_contact_role(session, SYSTEM, person.id, unit.id, "书记")
    people.change_person(session, SYSTEM, gone.id, left=True)
    actor = make_actor(session, street, ("administrator",))
    rows = logins.list_contact_rows(session, actor, street.id, "书记")
    assert [(row.name, row.unit) for row in rows] == [("赵二", "0101-A"), ("孙四", "0101-B")]
    assert logins.list_contact_rows(session, actor, street.id, "组织委员") == []


def test_who_may_and_which_roles(session: Session, street: Unit) -> None:
    rows = [LoginRow(2, "赵二", "0101-A", None)]
    branch = session.scalars(select(Unit).where(Unit.code == "0101-A")).one()
    for actor in (make_actor(session, street), make_actor(session, branch, ("administrator",))):
        with pytest.raises(Forbidden, match="manage_accounts"):
            logins.plan_logins(session, actor, street.id, rows, "officer")
        with pytest.raises(Forbidden, match="manage_accounts"):
            logins.list_contact_rows(session, actor, street.id, "书记")
    for role in ("administrator", "operator", "system"):
        with pytest.raises(Invalid, match="role"):
            logins.plan_logins(session, SYSTEM, street.id, rows, role)
    with pytest.raises(Invalid, match="rows"):
        logins.plan_logins(session, SYSTEM, street.id, rows * (logins.MOST_LOGINS + 1), "officer")


def test_what_is_no_list(session: Session) -> None:
    for data in (b"", "姓名\n甲\n".encode(), "姓名,组织编码\n".encode() + "甲,1\n".encode() * 301):
        with pytest.raises(Invalid, match="file"):
            logins.read_login_rows(data)


def test_a_unit_whose_code_makes_no_login(session: Session, street: Unit) -> None:
    odd = make_unit(session, code="第一支部", parent=street, level="branch")
    (row,) = logins.plan_logins(session, SYSTEM, street.id, [LoginRow(2, "赵二", "第一支部", None)], "officer").rows
    assert (row.state, row.login) == (LoginState.create, f"unit{odd.id}")
    many = [LoginRow(number, f"党员{number}", "0101-A", None) for number in range(2, 12)]
    states = [row.state for row in logins.plan_logins(session, SYSTEM, street.id, many, "officer").rows]
    assert states == [LoginState.create] * 9 + [LoginState.refused]
