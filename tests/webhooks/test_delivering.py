"""Deliveries: signed, at least once with an id, tried again for three days, bounded, and to nobody of our own."""

from __future__ import annotations

import json
import secrets
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from sms_service.accounts.actors import SYSTEM
from sms_service.audit.happening_models import Happening
from sms_service.audit.models import TrailEntry
from sms_service.channels.sealing import Sealer
from sms_service.db.engine import Database
from sms_service.directory.models import Unit
from sms_service.dispatch import freeze
from sms_service.errors import Conflict, Forbidden, Invalid, NotFound
from sms_service.gateways.posting import JsonPoster
from sms_service.reports.tasks import TaskKind, list_tasks
from sms_service.webhooks import owning
from sms_service.webhooks.deliveries import find_deliveries, replay_deliveries, request_test_delivery
from sms_service.webhooks.delivering import (
    AT_ONCE,
    FIRST_WAIT_S,
    LONGEST_WAIT_S,
    deliver_next,
    find_wait,
    tidy_deliveries,
)
from sms_service.webhooks.models import Webhook
from tests.clocks import ahead_by
from tests.dispatch.city import drain, make_city, statuses
from tests.factories import make_actor, make_unit
from tests.hostile_receiver import HostileReceiver, http
from tests.webhooks.receiving import (
    SEALER,
    deliver,
    end_waits,
    list_kept,
    make_webhook,
    make_webhook_and_secret,
    tell,
)

OK, OOPS = http("200 OK", b""), http("500 Oops", b"")


def wait_with_tests(database: Database, address: str, number: int = 1) -> int:
    """A webhook at the address, and so many tests of it that wait; its id."""
    with database.session() as session:
        webhook = make_webhook(session, make_unit(session), address)
        for _ in range(number):
            request_test_delivery(session, SYSTEM, webhook.id)
        return webhook.id


def webhook_of(database: Database) -> Webhook:
    with database.session() as session:
        return session.scalars(select(Webhook)).one()


def test_a_delivery_is_signed_and_its_id_stays_over_tries_and_replays(database: Database) -> None:
    with HostileReceiver("status", http("503 Busy", b"")) as receiver:
        city = make_city(database, 1, freeze_now=False)
        with database.session() as session:
            _, secret = make_webhook_and_secret(session, city.unit, receiver.address(), kinds=["run.running"])
        freeze.begin_due_runs(database)
        freeze.freeze_run(database, city.run_id)
        tell(database, receiver)
        [kept] = list_kept(database)
        assert (kept.status, kept.code, kept.reason, kept.tries) == ("pending", 503, "refused", 1)
        receiver.answer = OK
        end_waits(database)
        tell(database, receiver)
        with database.session() as session:
            since = session.scalars(select(func.sms_now() - timedelta(hours=1))).one()
            assert replay_deliveries(session, SYSTEM, 1, since) == 1
        tell(database, receiver)
    assert (list_kept(database)[0].status, list_kept(database)[0].code) == ("delivered", 200)
    assert len(receiver.taken) == 3
    assert len({taken.headers["webhook-id"] for taken in receiver.taken}) == 1
    assert len({taken.body for taken in receiver.taken}) == 1
    for taken in receiver.taken:
        assert is_ours(taken.headers, taken.body, secret)
        assert not is_ours(taken.headers, taken.body + b" ", secret)
    body = receiver.taken[0].json
    assert body["id"] == receiver.taken[0].headers["webhook-id"]  # type: ignore[index]
    assert body["type"] == "run.running"  # type: ignore[index]
    assert body["data"]["unit"] == city.unit.name  # type: ignore[index]


def is_ours(headers: dict[str, str], body: bytes, secret: str) -> bool:
    """As docs/webhooks.md has it; tests/docs compares the two."""
    import base64
    import hashlib
    import hmac

    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    digest = hmac.digest(base64.b64decode(secret.removeprefix("whsec_")), signed, hashlib.sha256)
    return hmac.compare_digest(headers["webhook-signature"], "v1," + base64.b64encode(digest).decode())


@pytest.mark.parametrize(
    ("manner", "reason", "code"),
    [
        ("status", "refused", 500),
        ("redirect", "redirected", 302),
        ("garbage", "no_answer", None),
        ("huge", "no_answer", None),
        ("cut", "no_answer", None),
        ("drip", "no_answer", None),
        ("hang", "no_answer", None),
    ],
)
def test_a_receiver_that_misbehaves_is_tried_again(
    database: Database, manner: str, reason: str, code: int | None
) -> None:
    with HostileReceiver(manner, OOPS) as receiver:
        wait_with_tests(database, receiver.address())
        deliver(database, receiver, total_timeout_s=1.0)
        assert len(receiver.taken) == 1, "no redirect is followed"
    [kept] = list_kept(database)
    assert (kept.status, kept.reason, kept.code) == ("pending", reason, code)
    assert webhook_of(database).failures == 1


@pytest.mark.parametrize(
    ("address", "reason"),
    [("http://127.0.0.1:9/hook", "forbidden_address"), ("https://[::ffff:10.0.0.1]/", "forbidden_address")],
)
def test_nothing_goes_into_our_own_network(database: Database, address: str, reason: str) -> None:
    """Also if the address was allowed once and is no more."""
    id_ = wait_with_tests(database, "https://platform.example.cn/")
    with database.session() as session:
        session.get_one(Webhook, id_).sealed = SEALER.seal(("" + address, "whsec_eA=="))  # type: ignore[arg-type]
    with HostileReceiver() as receiver:
        deliver(database, receiver)
    assert list_kept(database)[0].reason == reason


def test_a_name_that_leads_home_is_refused_when_it_is_looked_up(database: Database) -> None:
    wait_with_tests(database, "https://platform.example.cn/")
    poster = JsonPoster(resolve=lambda host, port: ["100.64.0.1"])
    deliver_next(database, poster, SEALER)
    poster.close()
    assert list_kept(database)[0].reason == "forbidden_address"


def test_an_address_that_was_sealed_with_another_key_is_not_called(database: Database) -> None:
    wait_with_tests(database, "https://platform.example.cn/")
    poster = JsonPoster()
    deliver_next(database, poster, Sealer(["another key of thirty-two characters"]))
    poster.close()
    assert list_kept(database)[0].reason == "sealed"


def test_waits_double_up_to_four_hours_and_are_spread() -> None:
    waits = [find_wait(tries, LONGEST_WAIT_S, lambda: 1.0) for tries in range(1, 30)]
    assert waits[:4] == [FIRST_WAIT_S, 10, 20, 40]
    assert waits[-1] == 4 * 3600
    assert find_wait(1, LONGEST_WAIT_S, lambda: 0.5) == FIRST_WAIT_S / 2


def test_after_three_days_it_is_disabled_and_somebody_is_told(database: Database) -> None:
    with HostileReceiver("status", OOPS) as receiver:
        id_ = wait_with_tests(database, receiver.address(), 2)
        deliver(database, receiver)
        end_waits(database)
        with ahead_by(database.url, "71 hours") as ahead:
            deliver(ahead, receiver)
        assert webhook_of(database).state == "open"
        end_waits(database)
        with ahead_by(database.url, "73 hours") as ahead:
            while deliver(ahead, receiver):
                end_waits(database)
        assert [row.status for row in list_kept(database)].count("given_up") == 1
        assert webhook_of(database).state == "disabled"
        with database.session() as session:
            unit = session.get_one(Unit, webhook_of(database).unit_id)
            administrator = make_actor(session, unit, ("administrator",))
            [task] = list_tasks(session, administrator, [TaskKind.webhook_disabled])
            assert task.number == 1
            assert list_tasks(session, make_actor(session, unit), [TaskKind.webhook_disabled]) == []
            entry = session.scalars(select(TrailEntry).where(TrailEntry.act == "webhook.disable")).one()
            assert entry.account_id is None
            with pytest.raises(Conflict):
                replay_deliveries(session, SYSTEM, id_, session.scalars(select(func.sms_now())).one())
        receiver.answer = OK
        with database.session() as session:
            owning.enable_webhook(session, SYSTEM, id_)
        tell(database, receiver)
    assert [row.status for row in list_kept(database)] == ["delivered", "delivered"]
    with database.session() as session:
        assert list_tasks(session, SYSTEM, [TaskKind.webhook_disabled]) == []


def test_who_says_that_it_is_gone_is_not_asked_again(database: Database) -> None:
    with HostileReceiver("status", http("410 Gone", b"")) as receiver:
        wait_with_tests(database, receiver.address(), 2)
        tell(database, receiver)
        assert len(receiver.taken) == 1
    assert webhook_of(database).state == "disabled"


def test_after_a_failure_one_at_a_time_is_tried_and_a_success_ends_that(database: Database) -> None:
    with HostileReceiver("status", OOPS) as receiver:
        wait_with_tests(database, receiver.address(), 3)
        tell(database, receiver)
        assert len(receiver.taken) == 2, "after the second the webhook rests, with all that waits for it"
        receiver.answer = OK
        end_waits(database)
        tell(database, receiver)
    assert [row.status for row in list_kept(database)] == ["delivered"] * 3
    assert webhook_of(database).failures == 0


def test_a_receiver_that_hangs_holds_up_neither_another_one_nor_a_text(database: Database) -> None:
    threads = ThreadPoolExecutor(AT_ONCE)
    with threads, HostileReceiver("hang") as hanging, HostileReceiver() as well:
        wait_with_tests(database, hanging.address(), AT_ONCE + 3)
        poster = JsonPoster([hanging.host, well.host], total_timeout_s=60.0)
        under_way = []
        for number in range(1, AT_ONCE + 1):
            under_way.append(threads.submit(deliver_next, database, poster, SEALER))
            hanging.wait_for(number)
        assert deliver_next(database, poster, SEALER) is False, "no more at once, however much waits"
        city = make_city(database, 5)
        with database.session() as session:
            make_webhook(session, city.unit, well.address(), kinds=["message.accepted"])
        drain(database, city.gateways)
        assert statuses(database, city.run_id) == {"accepted": 5}
        tell(database, well)
        assert len(well.taken) == 5
        assert not any(each.done() for each in under_way)
    poster.close()
    assert hanging.connections == AT_ONCE


def test_two_workers_never_send_one_delivery_at_the_same_time(database: Database) -> None:
    with HostileReceiver() as receiver:
        wait_with_tests(database, receiver.address(), 20)
        start = threading.Barrier(2)

        def work() -> None:
            poster = JsonPoster([receiver.host])
            start.wait()
            while any(row.status == "pending" for row in list_kept(database)):
                deliver_next(database, poster, SEALER)
            poster.close()

        with ThreadPoolExecutor(2) as threads:
            for done in [threads.submit(work) for _ in range(2)]:
                done.result()
    ids = [taken.headers["webhook-id"] for taken in receiver.taken]
    assert len(ids) == len(set(ids)) == 20


def test_what_a_dead_process_was_sending_goes_again_once_its_lease_is_over(database: Database) -> None:
    class Killed(BaseException):
        """The process ends here."""

    def die(point: str) -> None:
        if point == "sent":
            raise Killed

    with HostileReceiver() as receiver:
        wait_with_tests(database, receiver.address())
        with pytest.raises(Killed):
            deliver(database, receiver, at=die)
        tidy_deliveries(database)
        assert deliver(database, receiver) is False, "somebody may still be at it"
        with ahead_by(database.url, "1 minute") as ahead:
            tidy_deliveries(ahead)
            deliver(ahead, receiver)
    assert len(receiver.taken) == 2
    assert len({taken.headers["webhook-id"] for taken in receiver.taken}) == 1
    assert list_kept(database)[0].status == "delivered"


def test_an_outcome_that_comes_after_the_lease_changes_nothing(database: Database) -> None:
    with HostileReceiver("status", OOPS) as receiver:
        wait_with_tests(database, receiver.address())

        def overtake(point: str) -> None:
            if point == "sent":
                with ahead_by(database.url, "1 minute") as ahead:
                    tidy_deliveries(ahead)
                    receiver.answer = OK
                    end_waits(database)
                    deliver(ahead, receiver)

        deliver(database, receiver, at=overtake)
    assert (list_kept(database)[0].status, list_kept(database)[0].tries) == ("delivered", 2)


def test_a_replay_has_what_was_kept_of_the_kinds_and_units_that_it_wants(database: Database) -> None:
    with HostileReceiver() as receiver:
        city = make_city(database, 1, freeze_now=False)
        with database.session() as session:
            make_webhook(session, city.unit, receiver.address())
        freeze.begin_due_runs(database)
        freeze.freeze_run(database, city.run_id)
        tell(database, receiver)
        with database.session() as session:
            newer = make_webhook(session, city.unit, receiver.address(), kinds=["run.running", "run.closed"])
            beside = make_webhook(session, make_unit(session), receiver.address())
            now = session.scalars(select(func.sms_now())).one()
            before = now - timedelta(hours=1)
            assert replay_deliveries(session, SYSTEM, newer.id, before) == 1
            assert replay_deliveries(session, SYSTEM, newer.id, now) == 0
            assert replay_deliveries(session, SYSTEM, beside.id, before) == 0
            for wrong in (now + timedelta(hours=1), now - timedelta(days=31)):
                with pytest.raises(Invalid, match="30 days"):
                    replay_deliveries(session, SYSTEM, newer.id, wrong)


def test_what_is_older_than_thirty_days_is_forgotten(database: Database) -> None:
    wait_with_tests(database, "https://platform.example.cn/", 2)
    with ahead_by(database.url, "29 days") as ahead:
        tidy_deliveries(ahead)
    assert len(list_kept(database)) == 2
    with ahead_by(database.url, "31 days") as ahead:
        tidy_deliveries(ahead)
    with database.session() as session:
        assert session.scalars(select(Happening.id)).all() == []
    assert list_kept(database) == []


def test_who_manages_accounts_owns_webhooks_and_no_secret_is_shown_or_kept_in_clear(
    database: Database, session: Session
) -> None:
    unit = make_unit(session)
    administrator = make_actor(session, unit, ("administrator",))
    officer, stranger = make_actor(session, unit), make_actor(session, make_unit(session), ("administrator",))
    webhook, secret = make_webhook_and_secret(session, unit, "https://platform.example.cn/hook?key=geheim")
    assert SEALER.open(webhook.sealed or b"") == ("https://platform.example.cn/hook?key=geheim", secret)
    shown = owning.get_webhook(session, administrator, webhook.id)
    kept = session.execute(select(Webhook.__table__)).all(), session.scalars(select(TrailEntry.details)).all()
    assert secret not in repr((shown, kept))
    assert "geheim" not in repr((shown, kept))
    for other in (officer, stranger):
        for act in (owning.get_webhook, owning.pause_webhook, owning.enable_webhook, owning.remove_webhook):
            with pytest.raises(Forbidden):
                act(session, other, webhook.id)
    with pytest.raises(NotFound):
        owning.get_webhook(session, administrator, 999)
    owning.pause_webhook(session, administrator, webhook.id)
    with pytest.raises(Conflict, match="paused"):
        owning.pause_webhook(session, administrator, webhook.id)
    changed = owning.change_webhook(
        session, administrator, SEALER, (), webhook.id, address="https://other.example.cn/", kinds=["reply.read"]
    )
    assert (changed.host, changed.kinds) == ("other.example.cn", ["reply.read"])
    assert SEALER.open(changed.sealed or b"").secret == secret, "another address keeps the secret"
    renewed = owning.renew_webhook_secret(session, administrator, SEALER, lambda n: b"x" * n, webhook.id)
    assert SEALER.open(changed.sealed or b"") == ("https://other.example.cn/", renewed)
    owning.remove_webhook(session, administrator, webhook.id)
    assert changed.sealed is None
    with pytest.raises(NotFound):
        owning.pause_webhook(session, administrator, webhook.id)


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"address": "http://platform.example.cn/"}, "address"),
        ({"address": "https://127.0.0.1/"}, "address"),
        ({"address": "https://169.254.169.254/latest"}, "address"),
        ({"address": "https://100.64.0.1/"}, "address"),
        ({"address": "https://[::1]/"}, "address"),
        ({"address": "https://[::ffff:192.168.0.1]/"}, "address"),
        ({"address": "https://224.0.0.1/"}, "address"),
        ({"kinds": []}, "kinds"),
        ({"kinds": ["run.exploded"]}, "kinds"),
        ({"kinds": ["webhook.test"]}, "kinds"),
        ({"name": " "}, "name"),
    ],
)
def test_what_cannot_be_used_is_named(session: Session, given: dict[str, object], field: str) -> None:
    wanted = {"name": "平台", "address": "https://platform.example.cn/", "kinds": ["run.held"], **given}
    unit_id = make_unit(session).id
    with pytest.raises(Invalid) as raised:
        owning.add_webhook(session, SYSTEM, SEALER, (), secrets.token_bytes, unit_id=unit_id, **wanted)  # type: ignore[arg-type]
    assert raised.value.field == field


def test_a_unit_has_a_name_once_and_not_too_many(session: Session) -> None:
    unit = make_unit(session)
    make_webhook(session, unit, name="平台")
    with pytest.raises(Conflict, match="of this name"):
        make_webhook(session, unit, name="平台")
    for _ in range(owning.MOST_WEBHOOKS - 1):
        make_webhook(session, unit)
    with pytest.raises(Conflict, match="the most"):
        make_webhook(session, unit)


def test_deliveries_are_listed_by_status(database: Database) -> None:
    with HostileReceiver() as receiver:
        id_ = wait_with_tests(database, receiver.address(), 2)
        deliver(database, receiver)
    with database.session() as session:
        rows = session.execute(find_deliveries(id_, status="delivered")).all()
        assert [row.Happening.kind for row in rows] == ["webhook.test"]
        assert json.loads(receiver.taken[0].body)["data"]["webhook_id"] == id_
