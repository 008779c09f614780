"""Signatures as objects: who may change and use them, what the carriers say, and what lint says of a campaign's."""

from __future__ import annotations

import pytest
from factories import make_actor, make_unit
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from sms_service.accounts.actors import SYSTEM
from sms_service.audit.models import TrailEntry
from sms_service.campaigns.suggestions import list_signatures
from sms_service.content.models import FilingState, OwnedSignature
from sms_service.content.signatures import (
    add_signature,
    describe_signature,
    find_signatures,
    lint_signature,
    load_standing,
    remove_signature,
    set_default_signature,
    set_filing,
)
from sms_service.controls.accounts import synchronise_gateways
from sms_service.controls.models import GatewayAccount, Route
from sms_service.directory.models import Unit
from sms_service.errors import Conflict, Forbidden, Invalid, NotFound
from tests.dispatch.city import ScriptedAdapter, ScriptedGateways


@pytest.fixture
def city(session: Session) -> Unit:
    synchronise_gateways(session, ScriptedGateways({"main": ScriptedAdapter()}))
    session.execute(update(GatewayAccount).values(simulated=False, longest_signature=6))
    return make_unit(session, name="云州市")


@pytest.fixture
def route_id(session: Session, city: Unit) -> int:
    return session.scalars(select(Route.id)).one()


def test_a_unit_keeps_signatures_that_all_below_it_can_use(session: Session, city: Unit) -> None:
    district, other = make_unit(session, parent=city), make_unit(session, parent=city)
    administrator, officer = make_actor(session, district, ("administrator",)), make_actor(session, district)
    citys = add_signature(session, SYSTEM, city.id, "云州先锋")
    own = add_signature(session, administrator, district.id, "城东党建")
    with pytest.raises(Conflict):
        add_signature(session, administrator, district.id, "城东党建")
    for actor, unit in ((officer, district), (administrator, city), (administrator, other)):
        with pytest.raises(Forbidden):
            add_signature(session, actor, unit.id, "别的签名")
    with pytest.raises(Invalid, match="signature"):
        add_signature(session, administrator, district.id, "【城东】")
    assert list_signatures(session, district.path) == ["城东党建", "云州先锋"]
    assert list_signatures(session, other.path) == ["云州先锋"]
    set_default_signature(session, administrator, district.id, citys.id)
    assert list_signatures(session, district.path) == ["云州先锋", "城东党建"]
    assert list_signatures(session, make_unit(session, parent=district).path)[0] == "云州先锋", "those below inherit it"
    with pytest.raises(Invalid, match="signature_id"):
        set_default_signature(session, SYSTEM, other.id, own.id)
    (row,) = session.execute(find_signatures((other.path,))).all()
    assert describe_signature(row)["defaults"] == [], "no unit outside the scope is named"
    set_default_signature(session, administrator, district.id, None)
    remove_signature(session, administrator, own.id)
    with pytest.raises(NotFound):
        remove_signature(session, administrator, own.id)
    acts = session.scalars(select(TrailEntry.act).order_by(TrailEntry.id)).all()
    assert acts == ["signature.add", "signature.add", "signature.default", "signature.default", "signature.remove"]


def test_what_the_carriers_say_is_kept_by_account(session: Session, city: Unit) -> None:
    short = add_signature(session, SYSTEM, city.id, "云州先锋")
    long = add_signature(session, SYSTEM, city.id, "云州市组织部")
    for state in (FilingState.filed, FilingState.usable):
        set_filing(session, SYSTEM, short.id, "main", state)
    rows = session.execute(find_signatures((city.path,)).order_by(OwnedSignature.id)).all()
    assert [row.filings for row in rows] == [{"main": "usable"}, {}]
    session.execute(update(GatewayAccount).values(longest_signature=4))
    with pytest.raises(Invalid, match="registers at most 4"):
        set_filing(session, SYSTEM, long.id, "main", FilingState.filed)
    set_filing(session, SYSTEM, long.id, "main", FilingState.draft)
    with pytest.raises(NotFound):
        set_filing(session, SYSTEM, short.id, "nowhere", FilingState.filed)
    with pytest.raises(Forbidden):
        set_filing(session, make_actor(session, city), short.id, "main", FilingState.filed)


def test_lint_says_what_is_wrong_with_a_campaigns_signature(session: Session, city: Unit, route_id: int) -> None:
    def found(text: str) -> list[tuple[str, str]]:
        return [
            (str(one.severity), one.key)
            for one in lint_signature(load_standing(session, city.path, route_id, text), text)
        ]

    assert found("随便什么") == [], "while no unit has one, any may be written"
    assert found("七个字的签名啊") == [("refused", "signature:main")]
    known = add_signature(session, SYSTEM, city.id, "云州先锋")
    assert found("随便什么") == [("tick", "signature")]
    assert found("云州先锋") == [("tick", "signature:filing")]
    set_filing(session, SYSTEM, known.id, "main", FilingState.usable)
    assert found("云州先锋") == []
    session.execute(update(GatewayAccount).values(simulated=True))
    assert found("七个字的签名啊") == [("tick", "signature")], "a simulator registers nothing"
