"""People: the list by unit, the search, and one person."""

from __future__ import annotations

import re
from typing import Any

from flask import g, request
from marshmallow import fields
from sqlalchemy import select
from sqlalchemy.orm import Session

from sms_service.accounts.actors import unit_path
from sms_service.accounts.permissions import Permission
from sms_service.audience.reachable import REACHABLE, REACHES, SUSPECT, find_reached
from sms_service.audience.suppression_list import list_history
from sms_service.console.entering import is_password_fresh
from sms_service.console.forms import read_query
from sms_service.console.languages import say_here
from sms_service.console.pages import page_view
from sms_service.console.rendering import name_here, render_page
from sms_service.console.unit_choice import choose_unit
from sms_service.directory import people
from sms_service.directory.models import Person, Unit
from sms_service.directory.people_rows import LONGEST_WORD
from sms_service.directory.phones import read_phone
from sms_service.directory.text import person_name, plain_text
from sms_service.directory.units import split_path
from sms_service.ledger.archived import list_archived_months
from sms_service.reports.messages import latest_texts
from sms_service.web.paging import ScopedPageQuery, fetch_page, scope_filter
from sms_service.web.schemas import OneLine
from sms_service.web.validators import OneOfWords

MOST_FOUND = 32  # by a search, which has no second page: a name stands in no address. More would be over 40 kB


class PeopleFilter(ScopedPageQuery):
    """Which people; no name, number or phone, since this is an address."""

    kind = fields.String(load_default=None, validate=OneOfWords(people.KINDS))
    tag = OneLine(LONGEST_WORD, load_default=None)
    reach = fields.String(load_default=None, validate=OneOfWords([str(reach) for reach in REACHES]))
    left = fields.Boolean(load_default=False)


@page_view("/people", Permission.read, methods=("GET", "POST"))
def list_people() -> str:
    """People by unit, or those whom a search finds: by the beginning of the name, the number or the phone."""
    if request.method == "POST":
        return _search(request.form.get("wanted", ""))
    query = read_query(PeopleFilter)
    scope = scope_filter(g.session, g.actor, Permission.read, query["unit"])
    statement = find_reached(scope.paths, **{name: query[name] for name in ("kind", "tag", "reach", "left")})
    rows, following = fetch_page(g.session, statement, query, sort="name", key=Person.name, id_=Person.id)
    return _list(rows, query, following=following, scope=scope.units)


@page_view("/people/<int:person_id>", Permission.read)
def show_person(person_id: int) -> str:
    """What is known of a person, whether texts reach them, and the last ones."""
    return render_page("person.html", **describe_person(person_id))


def describe_person(person_id: int) -> dict[str, Any]:
    """What the person's page shows. Raises NotFound or Forbidden."""
    person = people.get_person(g.session, g.actor, person_id)
    path = unit_path(g.session, person.unit_id)
    roles = people.roles_of(g.session, [person.id])[person.id]
    history = list_history(g.session, g.actor, person.phone) if person.phone else ()
    return {
        "person": person,
        "units": _names(g.session, path, [role.unit_id for role in roles]),
        "path": split_path(path),
        "roles": roles,
        "suppressions": [row for row in history if row.Suppression.lifted_at is None],
        "lifted": next((row for row in history if row.Suppression.lifted_at is not None), None),
        "problem": person.said_phone_problem,
        "texts": latest_texts(g.session, g.actor, person),
        "archived": list_archived_months(g.session),
        "may_change": g.actor.can(Permission.manage_directory, path),
        "may_see_all": g.actor.can(Permission.see_phones, path),
        "may_see_phone": person.phone is not None and g.actor.can(Permission.see_phones, path),
        "fresh": is_password_fresh(),
        "phone": None,
    }


def _names(session: Session, path: str, unit_ids: list[int]) -> dict[int, str]:
    """The names of the units along the path and of these, by id, where the visitor may read them."""
    wanted = set(split_path(path)) | set(unit_ids)
    units = session.scalars(select(Unit).where(Unit.id.in_(wanted)))
    return {unit.id: unit.name for unit in units if g.actor.can(Permission.read, unit.path)}


def search_people(wanted: str, most: int) -> list[Any]:
    """The first of those whom a search finds among the people that the visitor may read: by the beginning of the name,
    the number or the phone.
    """
    scope = scope_filter(g.session, g.actor, Permission.read, None)
    text = plain_text(wanted.replace("\x00", ""))[:100]
    phone = read_phone(text).phone if re.search(r"\d{7}", re.sub(r"\D", "", text)) else None
    # One statement for each: an index answers it, and a condition that joins them has none.
    ways: list[dict[str, Any]] = [{"phone": phone}] if phone else []
    ways += [{"number": text}, {"name": person_name(wanted.replace("\x00", ""))[:100]}] if text else []
    found: dict[int, Any] = {}
    for way in ways:
        statement = find_reached(scope.paths, left=None, **way).order_by(Person.name, Person.id).limit(most)
        found |= {row.Person.id: row for row in g.session.execute(statement)}
    return list(found.values())


def _search(wanted: str) -> str:
    rows = search_people(wanted, MOST_FOUND + 1)
    return _list(rows[:MOST_FOUND], read_query(PeopleFilter), wanted=wanted[:100], more=len(rows) > MOST_FOUND)


def _name_reach(reach: str) -> str:
    named = {REACHABLE: say_here("Reachable"), SUSPECT: say_here("Number seems dead")}
    return named.get(reach) or name_here(reach)


def _list(rows: list[Any], query: dict[str, Any], **values: Any) -> str:
    return render_page(
        "people.html",
        **{"rows": rows, "query": query, "wanted": None, "more": False, "following": None, "scope": (), **values},
        reaches=[(reach, _name_reach(reach)) for reach in REACHES],
        kinds=[(kind, name_here(kind)) for kind in people.KINDS],
        choice=choose_unit(g.session, g.actor, Permission.read, query["unit"], top=True),
        may_add=bool(g.actor.scope(Permission.manage_directory)),
        most=MOST_FOUND,
    )
