"""签名: added, filed, made a default, removed; the forms of campaigns offer them."""

from __future__ import annotations

import pytest
from sqlalchemy import select, update

from sms_service.content.models import OwnedSignature, SignatureFiling
from sms_service.controls.models import GatewayAccount
from tests.console.campaigning import make_branch, make_invitation
from tests.factories import make_unit


@pytest.fixture
def branch(session):
    branch = make_branch(session)
    make_invitation(session, branch)
    session.execute(update(GatewayAccount).values(simulated=False))
    session.commit()
    return branch


def test_from_a_new_signature_to_the_form_that_has_it(log_in, session, branch):
    visitor, page = log_in(branch, "administrator"), "/signatures"
    assert "there is no signature yet" in visitor.get(page).text
    wrong = visitor.post(page, form=page, data={"signature": "【云州】", "unit_id": branch.id})
    assert wrong.status_code == 422
    for text in ("云州先锋", "幸福支部"):
        visitor.post(page, form=page, data={"signature": text, "unit_id": branch.id})
    first, second = session.scalars(select(OwnedSignature).order_by(OwnedSignature.id)).all()
    data = {"filed": second.id, "account": "main", "state": "usable"}
    visitor.post("/signatures/filing", form=page, data=data)
    assert session.scalars(select(SignatureFiling.state)).all() == ["usable"]
    visitor.post("/signatures/default", form=page, data={"chosen": second.id, "chosen_for": branch.id})
    shown = visitor.get(page).text
    assert "Default of" in shown
    assert "Usable" in shown
    assert 'value="幸福支部"' in log_in(branch).get("/invite").text
    visitor.post(f"/signatures/{first.id}/remove", form=page)
    assert session.scalars(select(OwnedSignature.text)).all() == ["幸福支部"]


def test_who_may_only_read_sees_no_form(log_in, session, branch):
    visitor = log_in(branch, "officer")
    page = visitor.get("/signatures").text
    assert "Add a signature" not in page
    assert (
        log_in(branch, "officer").post("/signatures", data={"signature": "云州", "unit_id": branch.id}).status_code
        == 403
    )
    assert log_in(make_unit(session), "auditor").get(f"/signatures?unit={branch.id}").status_code == 403
