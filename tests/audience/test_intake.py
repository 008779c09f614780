"""Whoever carries the tag 不接收短信 has the phone suppressed, by whatever door tag or phone came."""

from __future__ import annotations

import re
from itertools import product
from pathlib import Path

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from sms_service.accounts.actors import SYSTEM
from sms_service.audience import intake
from sms_service.audience.models import Suppression
from sms_service.audience.suppression import lift_suppression
from sms_service.audit.models import TrailEntry
from sms_service.directory.models import Person, Unit
from tests.bringing import bring
from tests.factories import fictional_phone, make_unit

ROOT = Path(intake.__file__).parents[1]
TAG = intake.OPTED_OUT_TAG
OLD, NEW = fictional_phone(1), fictional_phone(2)


def write(session: Session, unit: Unit, door: str, phone: str, tags: list[str] | None) -> None:
    """The person M1, created or changed; tags None: nothing is said of them."""
    person_id = session.scalar(select(Person.id).where(Person.number == "M1"))
    if door == "import":
        header = "编号,姓名,手机号,组织编码" + ("" if tags is None else ",标签")
        row = f"M1,王伟,{phone},01" + ("" if tags is None else f",{'、'.join(tags)}")
        bring(session, "people", f"{header}\n{row}")
    else:
        changes = {"phone": phone} | ({} if tags is None else {"tags": tags})
        if person_id is None:
            intake.take_in_person(session, SYSTEM, unit.id, "王伟", "M1", **changes)
        else:
            intake.change_taken_in_person(session, SYSTEM, person_id, **changes)


def suppressed(session: Session) -> set[str]:
    return set(session.scalars(select(Suppression.phone).where(Suppression.lifted_at.is_(None))))


@pytest.mark.parametrize("doors", list(product(["import", "api"], repeat=2)))
@pytest.mark.parametrize(
    ("first", "second", "phones"),
    [
        ([TAG], None, {OLD, NEW}),
        (["退休"], [TAG, "退休"], {NEW}),
        ([TAG], [], {OLD}),
        (["退休"], None, set()),
    ],
)
def test_every_door_honours_the_tag(
    session: Session, doors: tuple[str, str], first: list[str], second: list[str] | None, phones: set[str]
) -> None:
    """Once the person has a phone, then another, with or without the tag, by the one door and by the other."""
    unit = make_unit(session, code="01")
    write(session, unit, doors[0], OLD, first)
    write(session, unit, doors[1], NEW, second)
    assert suppressed(session) == phones
    acts = select(func.count()).where(TrailEntry.act.startswith("suppression."))
    assert session.scalar(acts) == len(phones), "each is in the trail"


def test_another_change_undoes_no_lifting(session: Session) -> None:
    unit = make_unit(session, code="01")
    write(session, unit, "api", OLD, [TAG])
    lift_suppression(session, SYSTEM, OLD, "本人来电")
    person_id = session.scalar(select(Person.id)) or 0
    intake.change_taken_in_person(session, SYSTEM, person_id, name="王维")
    assert suppressed(session) == set()


# Who writes the columns, and who calls who does; what is not named here must go through `intake`.
WRITERS = {
    r"\b(people|directory\.people)\.(create|change)_person\(": {"audience/intake.py"},
    r"\bimport (create_person|change_person)\b": set(),
    r"\bapplying\.write_import\(|applying import .*\bwrite_import\b": {"audience/intake.py"},
    # Guests of a list have no tags.
    r"(?i)\bINSERT INTO people\b": {"directory/create_people.sql", "directory/create_guests.sql"},
    r"(?i)\bUPDATE people\b[^;]*?\bSET\b((?!\b(FROM|WHERE)\b)[^;])*?\b(phone|tags)\s*=": {
        "directory/change_people.sql"
    },
    # Three change where people belong, what is known of their number, and who has left: neither phones nor tags. The
    # last makes the person who stands for an account's own phone, whom no rule finds.
    r"\binsert\(Person\)|\bupdate\(Person\)|[^.\w]Person\(\s*\w+=": {
        *("directory/people.py", "controls/mergers.py", "delivery/lost_checks.py", "directory/vanished.py"),
        "own_texts/phones.py",
    },
    r"\bperson\.(phone|tags)\b[^=\n(]* = ": {"directory/people.py"},
}


def test_nobody_writes_phones_or_tags_past_it() -> None:
    """A rule that a new door could forget: a new writer fails here."""
    sources = [path for path in ROOT.rglob("*") if path.suffix in (".py", ".sql") and "migrations" not in path.parts]
    for pattern, allowed in WRITERS.items():
        found = {str(path.relative_to(ROOT)) for path in sources if re.search(pattern, path.read_text())}
        assert found == allowed, pattern
