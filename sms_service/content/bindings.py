"""Bindings: what the provider of a gateway account calls a template version, and how far it is with it.

A provider that takes registered templates alone gets no text without one: the gate asks for a usable binding. The table
lies in `controls`, which knows a version by its id alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, and_, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from sms_service.accounts.actors import Actor, unit_path
from sms_service.accounts.permissions import Permission
from sms_service.audit import trail
from sms_service.audit.changes import compare_before_after
from sms_service.content.language import compile_places
from sms_service.content.library import get_numbered_version
from sms_service.content.models import Template, TemplateVersion
from sms_service.controls.accounts import id_of
from sms_service.controls.models import AccountState, BindingState, GatewayAccount, TemplateBinding
from sms_service.directory.models import Unit
from sms_service.directory.text import LONGEST_WHY
from sms_service.directory.units import usable_from
from sms_service.errors import Invalid
from sms_service.said import say

LONGEST_ID = 100  # characters of a provider's name of a template


@dataclass(frozen=True, slots=True)
class BindingChange:
    """How far a provider is with a version. `parameters` None: the version's own order; `note`: why it is refused, or
    whatever else should be known.
    """

    state: BindingState
    provider_template_id: str | None = None
    parameters: Sequence[str] | None = None
    note: str | None = None


def set_binding(
    session: Session, actor: Actor, template_id: int, number: int | None, account: str, change: BindingChange
) -> TemplateVersion:
    """Write down how far a gateway account's provider is with a version of a template (None: the newest); returns the
    version.

    Raises NotFound (template, version, account), Forbidden without `manage_directory` over the template's unit, or
    Invalid: a body that no provider can register, parameters that are not each variable of it once, a usable one
    without the provider's name, a refused one without a note.
    """
    template, version = get_numbered_version(session, actor, template_id, number)
    path = unit_path(session, template.unit_id)
    actor.require(Permission.manage_directory, path)
    account_id = id_of(session, account)
    name, note = _clean("provider_template_id", change.provider_template_id), _clean("note", change.note)
    if change.state == BindingState.usable and name is None:
        raise Invalid("provider_template_id", None, "must be given once it is usable: the provider's name of it")
    if change.state == BindingState.refused and note is None:
        raise Invalid("note", None, "must say why it is refused")
    values = {
        "state": change.state.value,
        "provider_template_id": name,
        "parameters": _order(version.body, change.parameters),
        "note": note,
        "changed_by": actor.account_id,
        "changed_at": func.sms_now(),
    }
    told = ("state", "provider_template_id", "note")
    bound = select(*(getattr(TemplateBinding, name) for name in told)).where(
        TemplateBinding.template_version_id == version.id, TemplateBinding.gateway_account_id == account_id
    )
    before = session.execute(bound.with_for_update()).one_or_none()
    new = insert(TemplateBinding).values(template_version_id=version.id, gateway_account_id=account_id, **values)
    keys = [TemplateBinding.template_version_id, TemplateBinding.gateway_account_id]
    session.execute(new.on_conflict_do_update(index_elements=keys, set_=values))
    changes = compare_before_after(
        dict.fromkeys(told) if before is None else dict(zip(told, before, strict=True)),
        {name: values[name] for name in told},
    )
    details = {"version": version.number, "account": account, "state": change.state, "changes": changes}
    trail.record_act(session, actor.account_id, "template.bind", "template", template_id, path, **details)
    return version


def list_bindings(session: Session, version_id: int) -> list[dict[str, Any]]:
    """Of a version, every account that takes registered templates alone, and every other one with a binding of it, by
    name: `account`, whether it is `needed`, and the binding; `draft` where nobody has written one down.
    """
    rows = session.execute(
        select(GatewayAccount.name, GatewayAccount.needs_binding, TemplateBinding)
        .outerjoin(
            TemplateBinding,
            and_(
                TemplateBinding.gateway_account_id == GatewayAccount.id,
                TemplateBinding.template_version_id == version_id,
            ),
        )
        .where(
            GatewayAccount.state != AccountState.removed,
            GatewayAccount.needs_binding | TemplateBinding.state.is_not(None),
        )
        .order_by(GatewayAccount.name)
    )
    return [_describe(name, needed, binding) for name, needed, binding in rows]


def find_bindings_of_account(account_id: int, scope: tuple[str, ...]) -> Select[TemplateBinding, int, Template, Unit]:
    """The bindings of a gateway account, of templates that may be used on the unit paths of `scope`; not ordered."""
    return (
        select(TemplateBinding, TemplateVersion.number, Template, Unit)
        .join(TemplateVersion, TemplateVersion.id == TemplateBinding.template_version_id)
        .join(Template, Template.id == TemplateVersion.template_id)
        .join(Unit, Unit.id == Template.unit_id)
        .where(TemplateBinding.gateway_account_id == account_id, usable_from(scope))
    )


def list_places(body: str) -> list[str] | None:
    """The variables of a body in the order of their places; None if no provider can register it."""
    try:
        return list(compile_places(body))
    except Invalid:
        return None


def _describe(name: str, needed: bool, binding: TemplateBinding | None) -> dict[str, Any]:
    return {
        "account": name,
        "needed": needed,
        "state": BindingState(binding.state if binding else BindingState.draft),
        "provider_template_id": binding and binding.provider_template_id,
        "parameters": binding.parameters if binding else None,
        "note": binding and binding.note,
        "changed_at": binding and binding.changed_at,
    }


def _order(body: str, given: Sequence[str] | None) -> list[str]:
    """The order of the parameters. Raises Invalid."""
    places = list(compile_places(body))
    if given is None:
        return places
    if sorted(given) != sorted(places):
        written = "、".join(given)
        if not places:
            raise Invalid("parameters", written, "must be empty: the text has no variables")
        raise Invalid("parameters", written, say("must have each variable of the text once: {names}", names=places))
    return list(given)


def _clean(field: str, text: str | None) -> str | None:
    """The text on one line, None if it is empty. Raises Invalid."""
    cleaned = " ".join((text or "").split())
    most = LONGEST_ID if field == "provider_template_id" else LONGEST_WHY
    if len(cleaned) > most or (cleaned and not cleaned.isprintable()):
        raise Invalid(field, None, say("must have at most {most} characters, on one line", most=most))
    return cleaned or None
