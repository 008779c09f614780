"""How a text to oneself is written: from which unit, with which signature, over which route; and what keeps it back.

Whatever is said here, the gate says again when the text leaves: this only tells somebody at once why none would.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, exists, func, literal, or_, select
from sqlalchemy.orm import Session

from sms_service.accounts.models import LANGUAGES, Account
from sms_service.campaigns.suggestions import list_signatures
from sms_service.catalogues import get_catalogue
from sms_service.controls.models import BindingState, GatewayAccount, Route, RouteMember, TemplateBinding
from sms_service.controls.stops import is_stopped
from sms_service.directory.models import Unit
from sms_service.directory.units import format_clock
from sms_service.errors import Conflict
from sms_service.gateways.config import DEFAULT_ROUTE
from sms_service.ledger.single import SingleText, WrittenText, write_single_text
from sms_service.own_texts.models import OwnPurpose, OwnText
from sms_service.parts import measure_text
from sms_service.said import Said, say, translate
from sms_service.vocabulary import TextClass

_KINDS: Mapping[OwnPurpose, str] = {OwnPurpose.code: "test", OwnPurpose.test: "test", OwnPurpose.push: "notice"}


@dataclass(frozen=True, slots=True)
class Wording:
    """A whole text and how many SMS it takes."""

    text: str
    parts: int


@dataclass(frozen=True, slots=True)
class Sender:
    """The unit in whose name a text goes, what stands in front of it, and its route."""

    unit: Unit
    signature: str
    route_id: int

    def compose(self, said: Said, language: str | None) -> Wording:
        """The text of what the service itself says, in the language of its reader."""
        text = f"【{self.signature}】{translate(said, get_catalogue(language or LANGUAGES[0]))}"
        return Wording(text, measure_text(text).parts)


def find_sender(session: Session, unit: Unit) -> Sender:
    """How the service writes to an account of the unit. Raises Conflict where no signature or route is known."""
    signature = next(iter(list_signatures(session, unit.path)), None)
    if signature is None:
        raise Conflict(say("{unit} has no signature yet; without one no text can leave", unit=unit.name))
    return Sender(unit, signature, find_route(session))


def find_route(session: Session, name: str = DEFAULT_ROUTE) -> int:
    """The route's id. Raises Conflict where gateways.toml has none of this name."""
    route_id = session.scalar(select(Route.id).where(Route.name == name))
    if route_id is None:
        raise Conflict(say("there is no route {name} yet: gateways.toml names no account", name=name))
    return route_id


def send_own_text(
    session: Session,
    account: Account,
    person_id: int,
    phone: str,
    purpose: OwnPurpose,
    wording: Wording,
    sender: Sender,
    *,
    validity_s: int,
    class_: str = TextClass.notice.value,
    sample_id: int | None = None,
    template_version_id: int | None = None,
    values: Mapping[str, Any] | None = None,
    own: Mapping[str, Any] | None = None,
) -> WrittenText:
    """Write the run of a text to the account's own phone. Raises Conflict where it could not leave now."""
    _require_way(session, sender, phone, class_, template_version_id)
    written = write_single_text(
        session,
        SingleText(
            kind=_KINDS[purpose],
            class_=class_,
            unit=sender.unit,
            person_id=person_id,
            phone=phone,
            text=wording.text,
            parts=wording.parts,
            signature=sender.signature,
            route_id=sender.route_id,
            validity_s=validity_s,
            template_version_id=template_version_id,
            values=values,
            own=own,
            hides_text=purpose == OwnPurpose.code,
        ),
    )
    session.add(
        OwnText(
            run_id=written.run_id,
            month=written.month,
            account_id=account.id,
            purpose=purpose.value,
            sample_id=sample_id,
            created_at=session.scalars(select(func.sms_now())).one(),
        )
    )
    session.flush()
    return written


def count_own_texts(session: Session, account_id: int, purpose: OwnPurpose) -> int:
    """How many the account had in the last 24 hours. Exact for who has locked the account's row."""
    return session.scalars(
        select(func.count(OwnText.run_id)).where(
            OwnText.account_id == account_id,
            OwnText.purpose == purpose,
            OwnText.created_at > func.sms_now() - timedelta(days=1),
        )
    ).one()


def is_window_open() -> ColumnElement[bool]:
    """SQL over Unit: its window is open now."""
    return func.window_is_open(Unit.timezone, Unit.window_opens, Unit.window_closes)


def _require_way(session: Session, sender: Sender, phone: str, class_: str, version_id: int | None) -> None:
    unit = sender.unit
    row = session.execute(
        select(
            is_window_open().label("is_open"),
            is_stopped(literal(unit.path), literal(sender.route_id)).label("stopped"),
            func.find_suppression(phone, unit.path, class_, sender.signature).label("suppressed"),
            _takes(sender.route_id, version_id, unit.demonstration).label("taken"),
        )
        .select_from(Unit)
        .where(Unit.id == unit.id)
    ).one()
    if row.suppressed is not None:
        raise Conflict("your phone is on the opt-out list: no text goes there, not even one to yourself")
    if not row.is_open:
        said = "texts of {unit} leave from {opens} to {closes}; do it then"
        opens, closes = format_clock(unit.window_opens), format_clock(unit.window_closes)
        raise Conflict(say(said, unit=unit.name, opens=opens, closes=closes))
    if row.stopped:
        raise Conflict("a stop holds back all texts of the unit or of its route; nothing leaves before it is released")
    if not row.taken:
        raise Conflict(
            "the accounts of its route take only texts that are registered with them, or have none yet for this unit"
        )


def _takes(route_id: int, version_id: int | None, demonstration: bool) -> ColumnElement[bool]:
    """Whether some account of the route could take such a text, open or not."""
    bound = exists().where(
        TemplateBinding.gateway_account_id == GatewayAccount.id,
        TemplateBinding.template_version_id == version_id,
        TemplateBinding.state == BindingState.usable,
    )
    found = (
        select(GatewayAccount.id)
        .join(RouteMember, RouteMember.gateway_account_id == GatewayAccount.id)
        .where(RouteMember.route_id == route_id, or_(~GatewayAccount.needs_binding, bound))
    )
    return found.where(GatewayAccount.simulated).exists() if demonstration else found.exists()
