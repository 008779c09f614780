"""What of a run did not arrive: each line counts exactly its rows, and says what its code and its reason mean."""

from __future__ import annotations

import pytest

from sms_service.accounts.actors import SYSTEM
from sms_service.db.engine import Database
from sms_service.errors import Forbidden
from sms_service.gateways.base import CodeMeaning, ErrorClass, Outcome, OutcomeKind, Text
from sms_service.ledger.states import MessageStatus
from sms_service.reports.counts import tabulate_counts
from sms_service.reports.failures import FAILED, describe_failures
from sms_service.reports.filters import Filter
from sms_service.reports.messages import find_messages
from sms_service.reports.remedies import BY_STATUS, REMEDIES, find_remedy
from sms_service.vocabulary import MessageReason
from tests.dispatch.city import ScriptedAdapter, ScriptedGateways, drain, make_city, statuses
from tests.factories import make_actor, make_unit

RUNS = ScriptedAdapter.capabilities


class ExplainingAdapter(ScriptedAdapter):
    """An account whose table explains two of its codes."""

    capabilities = RUNS.__class__(
        **{name: getattr(RUNS, name) for name in RUNS.__slots__ if name != "meanings"},
        meanings={
            ("answer", "101"): CodeMeaning("the number is not in use", "空号"),
            ("receipt", "101"): CodeMeaning("on its way", "途中"),
        },
    )


def test_lines_of_a_run_with_all_kinds_of_failures(database: Database) -> None:
    adapter = ExplainingAdapter()
    city = make_city(database, 6, adapter=adapter, more=[{"phone": None}])

    def answer(text: Text) -> Outcome:
        match len({earlier.reference for earlier in adapter.handed if earlier.reference <= text.reference}):
            case 1 | 2:
                return Outcome(text.reference, OutcomeKind.refused, error=ErrorClass.bad_number, raw_code="101")
            case 3:
                return Outcome(text.reference, OutcomeKind.refused, error=ErrorClass.balance, raw_code="202")
            case 4:
                return Outcome(text.reference, OutcomeKind.unknown)
        return Outcome(text.reference, OutcomeKind.accepted, provider_id=text.reference)

    adapter.answer = answer
    drain(database, city.gateways)
    counted = statuses(database, city.run_id)
    with database.session() as session:
        lines = describe_failures(session, SYSTEM, city.run_id, city.gateways)
        assert sum(line.messages for line in lines) == sum(counted.get(status, 0) for status in FAILED)
        for line in lines:
            filters = line.filters()
            rows = Filter(("/",), run_id=city.run_id, **filters)
            found = session.execute(find_messages(rows)).all()
            assert len(found) == line.messages, filters
            assert tabulate_counts(session, rows, ()).total.messages == line.messages
    shown = {(line.status, line.reason, line.code, line.account): line for line in lines}
    assert set(shown) == {
        ("refused", "bad_number", "101", "main"),
        ("refused", "balance", "202", "main"),
        ("unknown", None, None, "main"),
        ("skipped", "no_phone", None, None),
    }
    dead = shown["refused", "bad_number", "101", "main"]
    assert (dead.messages, dead.meaning, dead.retryable) == (2, CodeMeaning("the number is not in use", "空号"), False)
    assert dead.remedy == REMEDIES[MessageReason.bad_number]
    poor = shown["refused", "balance", "202", "main"]
    assert (poor.meaning, poor.retryable) == (None, True)  # no table has the code
    assert shown["unknown", None, None, "main"].remedy == BY_STATUS[MessageStatus.unknown]
    assert lines[0] == dead  # the most frequent first


def test_every_reason_and_every_status_that_fails_has_a_remedy() -> None:
    assert set(REMEDIES) == set(MessageReason)
    for status in FAILED:
        assert find_remedy(status, "bad_number") is not None
    assert {status for status in FAILED if find_remedy(status, None)} == set(BY_STATUS)
    assert find_remedy("refused", "a word of a later version") == REMEDIES[MessageReason.unclassified]
    assert find_remedy("delivered", None) is None


def test_an_account_that_left_the_file_explains_nothing(database: Database) -> None:
    city = make_city(database, 1)
    city.adapter.answer = lambda text: Outcome(
        text.reference, OutcomeKind.refused, error=ErrorClass.content, raw_code="104"
    )
    drain(database, city.gateways)
    with database.session() as session:
        (line,) = describe_failures(session, SYSTEM, city.run_id, ScriptedGateways({}))
        assert (line.code, line.meaning) == ("104", None)
        with pytest.raises(Forbidden):
            describe_failures(session, make_actor(session, make_unit(session)), city.run_id, city.gateways)
