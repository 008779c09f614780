"""A test text: what others would get, sent to the own phone of whoever writes or approves it, and to nobody else.

It needs no approval, costs what a text costs, and goes the way of every text: suppression, window and stops hold for
it, caps and quiet days do not. Of each account only so many go in 24 hours.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy.orm import Session

from sms_service.accounts.actors import Actor, unit_path
from sms_service.accounts.permissions import Permission
from sms_service.audit import trail
from sms_service.campaigns.contents import Content, content_of
from sms_service.campaigns.linting import reach_content
from sms_service.campaigns.moving import require_on_campaign
from sms_service.content.comparing import CannotRender
from sms_service.content.compose import Composed, check_beginning, check_signature, compose_text
from sms_service.content.findings import require_clean
from sms_service.content.grammar import narrow_braces
from sms_service.content.language import compile_template
from sms_service.content.lint import lint_texts
from sms_service.content.values import check_values
from sms_service.content.wordlists import load_lists
from sms_service.db.locks import LockKey, share_lock
from sms_service.directory.models import Person, Unit
from sms_service.errors import Conflict, Invalid, NotFound
from sms_service.own_texts.models import OwnPurpose
from sms_service.own_texts.phones import require_own_phone
from sms_service.own_texts.sending import Sender, Wording, count_own_texts, find_route, send_own_text
from sms_service.said import say

MOST_TESTS = 20  # of an account in 24 hours
VALIDITY_S = 1800  # what has not left by then expires: whoever tries a text waits for it


@dataclass(frozen=True, slots=True)
class SelfTest:
    """A test text that waits to leave: its run and row, to which phone it goes, and what it says."""

    run_id: int
    message_id: int
    phone: str
    text: str
    parts: int


@dataclass(frozen=True, slots=True)
class TestSource:
    """What a test text was made from: see `SingleText`. `campaign_id` is for the trail."""

    campaign_id: int | None = None
    template_version_id: int | None = None
    values: Mapping[str, Any] | None = None
    own: Mapping[str, Any] | None = None
    sample_id: int | None = None


def try_campaign(
    session: Session, actor: Actor, campaign_id: int, person_id: int | None = None, item: int | None = None
) -> SelfTest:
    """Send the campaign's text to the actor's own phone, as this person would get it, or without one whoever gets the
    shortest; of a campaign with a schedule the text of this `item` (its number), by default the one that goes next. The
    person is one of those on whom the campaign's check tries the text.

    Raises NotFound, Forbidden, Invalid (`person_id`), or Conflict where no text can be made or leave now.
    """
    campaign, path = require_on_campaign(session, actor, Permission.try_texts, campaign_id)
    content = content_of(session, campaign, held=False)
    content = content.next_text() if item is None else _of_item(content, item)
    _, texts = reach_content(session, content, path)
    if not texts.made:
        raise Conflict(texts.fault or "nobody would get this text, so that there is none to try")
    chosen = [one for one in texts.made if person_id is None or one[0].person_id == person_id]
    if not chosen and not texts.same:
        raise Invalid("person_id", person_id, "is nobody on whom the check of the campaign tries the text")
    tried, text = (chosen or texts.made)[0]
    own = {} if texts.same else {name: value for name, value in tried.values.items() if value is not None}
    source = TestSource(
        campaign_id=campaign_id,
        template_version_id=content.version.id,
        values=content.values,
        own=own,
        sample_id=None if texts.same else tried.person_id,
    )
    sender = Sender(session.get_one(Unit, campaign.unit_id), campaign.signature, campaign.route_id)
    return send_test_text(session, actor, sender, content.class_, text, source)


def _of_item(content: Content, number: int) -> Content:
    """What the item says to whom the campaign finds: what narrows that is who got another text, and nobody may have."""
    found = next((item for item in content.items if item.number == number), None)
    if found is None:
        raise NotFound("item", number)
    return replace(content.of_item(found), segment_rule=content.segment_rule)


def try_unsaved_text(
    session: Session,
    actor: Actor,
    unit_id: int,
    *,
    class_: str,
    body: str,
    signature: str,
    values: Mapping[str, Any],
    own: Mapping[str, Any] | None = None,
    sample_id: int | None = None,
) -> SelfTest:
    """Send a text that is not saved yet to the actor's own phone, in the name of this unit: `values` are the
    campaign's, `own` those of the person `sample_id`.

    Raises NotFound, Forbidden, Invalid (`body`, `signature`, `values`), or Conflict where no text can leave now.
    """
    actor.require(Permission.try_texts, unit_path(session, unit_id))
    unit = session.get_one(Unit, unit_id)
    body = narrow_braces(body)
    template = compile_template(body)
    check_signature(signature)
    check_beginning(body, signature)
    check_values(values)
    try:
        text = compose_text(template, {**(own or {}), **values}, signature, class_)
    except CannotRender as error:
        raise Invalid("values", None, error.said) from None
    sender = Sender(unit, signature, find_route(session))
    return send_test_text(session, actor, sender, class_, text, TestSource(sample_id=sample_id))


def send_test_text(
    session: Session, actor: Actor, sender: Sender, class_: str, text: Composed, source: TestSource | None = None
) -> SelfTest:
    """The same of a text that is made already, in the name of the sender's unit, for which the actor may write."""
    source = source or TestSource()
    actor.require(Permission.try_texts, sender.unit.path)
    share_lock(session, LockKey.erase_person)
    if source.sample_id is not None and session.get(Person, source.sample_id, populate_existing=True) is None:
        raise NotFound("person", source.sample_id)  # erased since the text was made
    account, own = require_own_phone(session, actor)
    if count_own_texts(session, account.id, OwnPurpose.test) >= MOST_TESTS:
        raise Conflict(say("you have sent yourself {most} test texts in 24 hours; go on tomorrow", most=MOST_TESTS))
    require_clean(lint_texts([("", text)], class_, load_lists(session, sender.unit.path)))
    written = send_own_text(
        session,
        account,
        own.person_id,
        own.phone,
        OwnPurpose.test,
        Wording(text.text, text.parts),
        sender,
        validity_s=VALIDITY_S,
        class_=class_,
        sample_id=source.sample_id,
        template_version_id=source.template_version_id,
        values=source.values,
        own=source.own,
    )
    details = {} if source.campaign_id is None else {"campaign": source.campaign_id}
    trail.record_act(session, account.id, "run.test", "run", written.run_id, sender.unit.path, **details)
    return SelfTest(written.run_id, written.message_id, own.phone, text.text, text.parts)
