"""All advisory locks: their keys, and what each is for. They share one space of numbers, so all keys are in this file.

Runs and gateway accounts have small numbers: twice the id, plus one for an account. Locks that exist once have a number
that spells "sms_…". Names are hashed.
"""

from __future__ import annotations

from collections.abc import Collection
from enum import IntEnum, StrEnum

from sqlalchemy import Connection, Text, func, literal, select
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Session


class LockKey(IntEnum):
    """What only one transaction or session does at a time."""

    migrate = 0x736D_735F_6D69_67  # one migration at a time
    synchronise_gateways = 0x736D_735F_6163_6374  # workers start together
    import_file = 0x736D_735F_696D_7074  # imports take turns
    archive_month = 0x736D_735F_6172_6368  # one month at a time leaves the database, or comes back
    make_logins = 0x736D_735F_6C6F_6769  # two lists at once would find the same logins free
    erase_person = 0x736D_735F_6572_6173  # freezes share it: none may copy a person who is being erased
    set_quota = 0x736D_735F_7175_6F74  # reservations share it: none may be missing from a new quota's sums
    remove_power = 0x736D_7301  # two administrators who remove each other must not both succeed


class LockedName(StrEnum):
    """Kinds of names that two may give at once: they take turns, so that the second gets a clear answer."""

    unit_code = "unit code"
    person_number = "person number"
    segment = "segment"
    reply_sender = "reply"
    stopped_phone = "stopped phone"  # what replies of one phone say about stopping is weighed together
    own_phone = "own phone"
    cohort = "cohort"  # and two first runs of one cohort, each of which would find people of its own


def take_lock(connection: Session | Connection, key: LockKey) -> None:
    """Wait for the lock and hold it to the end of the transaction."""
    connection.execute(select(func.pg_advisory_xact_lock(key.value)))


def share_lock(connection: Session | Connection, key: LockKey) -> None:
    """Hold the lock together with others who share it, to the end of the transaction; wait for whoever takes it."""
    connection.execute(select(func.pg_advisory_xact_lock_shared(key.value)))


def lock_name(connection: Session | Connection, kind: LockedName, name: str) -> None:
    """Wait until nobody else holds this name; held to the end of the transaction."""
    connection.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(f"{kind} {name}", 0))))


def lock_names(connection: Session | Connection, kind: LockedName, names: Collection[str]) -> None:
    """The same for many names, one after another in one order, so that two who lock some of them never wait for each
    other.
    """
    keys = sorted(f"{kind} {name}" for name in names)
    wanted = func.unnest(literal(keys, ARRAY(Text))).table_valued("name").render_derived()
    connection.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(wanted.c.name, 0))))


def close_gate_of_run(connection: Connection, run_id: int) -> None:
    """Wait for the gates of this run that are under way (`ledger/gate.sql` shares these locks), and let no other begin
    until this transaction ends.

    Call this before changing the run's row. Gates lock the row FOR SHARE one after another, and may overlap for ever;
    but nobody can overtake a transaction that waits for an advisory lock.
    """
    connection.execute(select(func.pg_advisory_xact_lock(run_id * 2)))


def close_gate_of_gateway_account(connection: Connection, gateway_account_id: int) -> None:
    """The same for the gates of all runs that use this gateway account. Never call it after `close_gate_of_run` in one
    transaction: gates lock the run before the account.
    """
    connection.execute(select(func.pg_advisory_xact_lock(gateway_account_id * 2 + 1)))
