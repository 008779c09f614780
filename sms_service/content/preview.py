"""The shortest and the longest text of a template, for real people, before anything is sent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, false, func, literal, or_, select
from sqlalchemy.orm import Session

from sms_service.accounts.actors import Actor, unit_path
from sms_service.accounts.permissions import Permission
from sms_service.audience.reach import recipient_value
from sms_service.content.comparing import CannotRender
from sms_service.content.compose import Composed, check_beginning, check_signature, compose_text
from sms_service.content.grammar import narrow_braces
from sms_service.content.language import CompiledTemplate, compile_template
from sms_service.content.values import check_values
from sms_service.directory.models import Person, Unit
from sms_service.errors import Invalid
from sms_service.said import say


@dataclass(frozen=True, slots=True)
class TextPreview:
    """Of the rendered texts, the one with the fewest and the one with the most parts; among equals, units decide.

    `people` is the number of people that the samples were chosen from, or None if no samples were taken. `lacking`
    counts, for each variable that the template needs, the people who have no value: this text cannot be sent to them.
    """

    variables: tuple[str, ...]
    required: tuple[str, ...]
    shortest: Composed
    longest: Composed
    people: int | None
    lacking: Mapping[str, int]


def preview_text(
    session: Session,
    actor: Actor,
    body: str,
    class_: str,
    signature: str,
    values: Mapping[str, Any],
    *,
    unit_id: int | None = None,
    recipients: Sequence[Mapping[str, Any]] | None = None,
) -> TextPreview:
    """Render `body` for the recipients with the shortest and the longest values, and measure both texts.

    `values` are the campaign's, the same for all. The other values come from `recipients` (the own values of each). If
    there are none, they come from the two people in the subtree of `unit_id` (by default in all that the actor may
    read) whose values for this template are shortest and longest in total. People who left are not counted.
    Raises Invalid (body, class, signature, values, recipients), NotFound or Forbidden (unit).
    """
    scope = _scope(session, actor, unit_id)
    body = narrow_braces(body)
    template = compile_template(body)
    check_signature(signature)
    check_beginning(body, signature)
    check_values(values)
    wanted = [name for name in template.variables if name not in values]
    needed = [name for name in template.required if name in wanted]
    people: int | None = None
    lacking: dict[str, int] = {}
    if recipients is None and wanted:
        people, lacking = _lacking(session, scope, needed)
        recipients = _samples(session, scope, wanted, needed)
        if needed and not recipients:
            raise Invalid("values", None, _nobody(people, needed, lacking))
    texts = [_compose(template, values, own, signature, class_) for own in recipients or [{}]]
    texts.sort(key=lambda text: (text.parts, text.units))
    return TextPreview(template.variables, template.required, texts[0], texts[-1], people, lacking)


def _compose(
    template: CompiledTemplate, values: Mapping[str, Any], own: Mapping[str, Any], signature: str, class_: str
) -> Composed:
    try:
        return compose_text(template, {**own, **values}, signature, class_)
    except CannotRender as error:
        raise Invalid("values", None, error.said) from None


def _scope(session: Session, actor: Actor, unit_id: int | None) -> tuple[str, ...]:
    if unit_id is None:
        return actor.scope(Permission.read)
    path = unit_path(session, unit_id)
    actor.require(Permission.read, path)
    return (path,)


def _people(statement: Select[*tuple[Any, ...]], scope: tuple[str, ...]) -> Select[*tuple[Any, ...]]:
    return (
        statement.select_from(Person)
        .join(Unit, Unit.id == Person.unit_id)
        .where(Person.left_at.is_(None), or_(false(), *(Unit.path.op("^@")(path) for path in scope)))
    )


def _lacking(session: Session, scope: tuple[str, ...], needed: list[str]) -> tuple[int, dict[str, int]]:
    """How many people the scope has, and for each needed variable that some of them lack, how many lack it."""
    counts = [func.count().filter(recipient_value(name).is_(None)) for name in needed]
    total, *without = session.execute(_people(select(func.count(), *counts), scope)).one()
    return total, {name: count for name, count in zip(needed, without, strict=True) if count}


def _samples(session: Session, scope: tuple[str, ...], wanted: list[str], needed: list[str]) -> list[dict[str, str]]:
    """The wanted values of the two people whose values are shortest and longest in total; empty if there is nobody."""
    length = sum((_length(name) for name in wanted), start=literal(0))
    statement = _people(select(*(recipient_value(name) for name in wanted)), scope).limit(1)
    statement = statement.where(*(recipient_value(name).is_not(None) for name in needed))
    rows = [session.execute(statement.order_by(order, Person.id)).one_or_none() for order in (length, length.desc())]
    return [dict(zip(wanted, row, strict=True)) for row in rows if row is not None]


def _length(name: str) -> ColumnElement[int]:
    return func.coalesce(func.char_length(recipient_value(name)), 0)


def _nobody(people: int, needed: list[str], lacking: Mapping[str, int]) -> str:
    if people == 0:
        return say("there is nobody in the scope to take {names} from; give values or recipients", names=needed)
    names = [name for name, count in lacking.items() if count == people] or list(lacking)
    return say("nobody in the scope has {names: and }; give it in values", names=names)
