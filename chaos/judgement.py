"""The result of an attack: the counts, a comparison of the two ledgers, and whether the service held."""

from __future__ import annotations

import importlib.metadata
import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from typing import Any

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from chaos.gateways import GROUP
from chaos.house import House
from chaos.line import name_texts
from chaos.plan import GATEWAYS, LINE, RECEIVER
from chaos.settling import Unknown
from chaos.webhooks import Listener, judge_webhooks
from sms_service.ledger.models import Message, Run
from sms_service.ledger.receipt_matching import SEVERAL
from sms_service.ops.agreement import UNHEARD, Agreement, compare_ledgers
from sms_service.reports.counts import check_identity
from sms_service.reports.parts import TAKEN

_SHOWN = 10  # disagreements of a kind that are told in full
_PACKAGES = ("sqlalchemy", "psycopg", "rq", "gunicorn", "aiohttp", "jinja2")
_MUST_BE_NONE = (
    *("lost", "duplicated", "contradicted", "unknown_after_look_up", "caps_off"),
    *("sent_after_opt_out", "replies_lost", "replies_unread", "answers_off", "answered_twice"),
    *("webhooks_untold", "webhooks_told_falsely", "webhooks_badly_signed"),
)
_NEVER_MEANT_TO_LEAVE = ("skipped", "cancelled")
_STORY = text("""
SELECT 'run ' || a.run_id || ', attempt ' || a.number || ' of ' || m.attempts || ': ' || a.status
       || coalesce(' (' || a.error || ')', '') || ', group ' || a.claim_token || ', started ' || a.started_at
       || coalesce(', outcome ' || a.outcome_at, '') || coalesce(', final ' || a.final_at, '')
       || '; the message is ' || m.status || coalesce(' (' || m.reason || ')', '') || ' since ' || m.changed_at
FROM attempts a JOIN messages m ON m.month = a.month AND m.id = a.message_id
WHERE to_char(a.month, 'YYYYMM') || '-' || a.id = ANY (:names)
ORDER BY a.number
""")


# Places of caps in use: as counted, and as the messages have them.
_CAPS_OFF = text("""
SELECT count(*)
FROM (
    SELECT phone, class, cap_day AS day, count(*) AS used FROM messages WHERE cap_day IS NOT NULL GROUP BY 1, 2, 3
) AS held
FULL JOIN (SELECT * FROM cap_uses WHERE used > 0) AS counted USING (phone, class, day)
WHERE held.used IS DISTINCT FROM counted.used
""")


# The gate sees the suppressions of the moment when its statement begins; a text may pass only if it waited after that.
_SENT_AFTER_OPT_OUT = text("""
SELECT count(*)
FROM suppressions s
JOIN messages m ON m.phone = s.phone
JOIN runs r ON r.month = m.month AND r.id = m.run_id
JOIN attempts a ON a.month = m.month AND a.message_id = m.id
WHERE a.started_at > s.created_at + interval '10 seconds' AND a.started_at < least(s.lifted_at, :until)
  AND s.unit_id IS NULL AND (s.class IS NULL OR s.class = m.class)
  AND (s.signature IS NULL OR s.signature = r.signature) AND NOT r.passes_opt_outs
""")
_REPLIES_OF = text(
    "SELECT count(*) FROM replies r JOIN gateway_accounts g ON g.id = r.account_id WHERE g.name = :account"
)
_UNREAD = text("SELECT count(*) FROM replies WHERE joined_to IS NULL AND (matched_at IS NULL OR rule IS NULL)")
# Each reply that answers a question has one answer that stands, and no other reply has one.
_ANSWERS_OFF = text("""
SELECT count(*)
FROM (SELECT id AS reply_id, meaning FROM replies WHERE question_id IS NOT NULL) AS r
FULL JOIN (SELECT reply_id, said FROM answers WHERE voided_at IS NULL AND reply_id IS NOT NULL) AS a USING (reply_id)
WHERE r.meaning IS DISTINCT FROM a.said
""")
_ANSWERED_TWICE = text("""
SELECT count(*)
FROM (SELECT FROM runs WHERE kind = 'answer' AND reply_id IS NOT NULL GROUP BY reply_id HAVING count(*) > 1) AS twice
""")
# What people said about single texts; they are responsible for it.
_SETTLED = text("SELECT to_char(month, 'YYYYMM') || '-' || id FROM attempts WHERE settled_by IS NOT NULL")
# The line sends back no name of ours, so if several texts to a phone are unknown, a receipt cannot be matched to one of
# them. What a person says about one of them does not change that.
_OF_SEVERAL = text("""
SELECT to_char(a.month, 'YYYYMM') || '-' || a.id
FROM attempts a JOIN gateway_accounts g ON g.id = a.account_id
WHERE g.name = :line AND (a.status = 'unknown' OR a.settled_by IS NOT NULL)
  AND EXISTS (
      SELECT FROM receipts WHERE account_id = g.id AND phone = a.phone AND applied_at IS NULL AND note = :several
  )
""")
_SENT_AGAIN = text("""
SELECT to_char(a.month, 'YYYYMM') || '-' || a.id
FROM trail t
CROSS JOIN LATERAL jsonb_array_elements_text(t.details -> 'messages') AS m (id)
JOIN attempts a ON a.message_id = m.id::bigint
WHERE t.act = 'run.send_again'
""")


@dataclass(frozen=True, slots=True)
class Judgement:
    """`figures` are the content of the line; `good`: nobody lost, nobody texted twice, no contradiction, all sums
    right.
    """

    figures: dict[str, Any]
    good: bool


def judge(
    session: Session,
    house: House,
    listeners: Sequence[Listener],
    unknown: Unknown,
    until: datetime,
    say: Callable[[str], None],
) -> Judgement:
    """Compare the ledgers. `unknown`: how much was, and is after the simulators were asked. `until`: the end of the
    attack, after which the service's clock was put forward.
    """
    runs = session.scalars(select(Run.id).where(Run.audience.is_not(None)).order_by(Run.id)).all()
    lines = chain(
        house.ledgers([name for name in GATEWAYS if name != LINE]),
        name_texts(session, house.ledgers([LINE]), house.service_time),
    )
    agreement, theirs = _without_peoples_words(session, compare_ledgers(session, lines, runs))
    _tell(session, agreement, say)
    found = [check_identity(session, run_id) for run_id in runs]
    for run in found:
        if not run.holds:
            say(f"run {run.run_id}: the audience is {run.audience}, the statuses are {run.statuses}")
    statuses: dict[str, int] = dict(
        session.execute(select(Message.status, func.count()).group_by(Message.status).order_by(Message.status)).all()
    )
    meant = sum(number for status, number in statuses.items() if status not in _NEVER_MEANT_TO_LEAVE)
    taken = sum(number for status, number in statuses.items() if status in TAKEN)
    figures = {
        "runs": len(runs),
        "messages": sum(statuses.values()),
        "lost": len(agreement.lost) + len(agreement.waiting),
        "duplicated": len(agreement.duplicated),
        "contradicted": sum(map(len, agreement.contradicted.values())),
        "by_people": theirs,
        "sent_after_opt_out": session.scalars(_SENT_AFTER_OPT_OUT, {"until": until}).one(),
        "replies": session.scalars(text("SELECT count(*) FROM replies")).one(),
        "replies_over_smpp": session.scalars(_REPLIES_OF, {"account": LINE}).one(),
        "replies_lost": len(_acknowledged_replies(house) - set(session.scalars(text("SELECT text FROM replies")))),
        "replies_unread": session.scalars(_UNREAD).one(),
        "answers": session.scalars(text("SELECT count(*) FROM answers")).one(),
        "answers_off": session.scalars(_ANSWERS_OFF).one(),
        "answer_texts": session.scalars(text("SELECT count(*) FROM runs WHERE kind = 'answer'")).one(),
        "answered_twice": session.scalars(_ANSWERED_TWICE).one(),
        **judge_webhooks(session, listeners, house.ledgers([RECEIVER]), say),
        "suppressed": session.scalars(text("SELECT count(*) FROM suppressions")).one(),
        "unknown": unknown.texts,
        "hand_overs_broken": unknown.hand_overs,
        "unknown_at_most": unknown.hand_overs * GROUP,
        "unknown_after_look_up": unknown.still,
        "caps_off": session.scalars(_CAPS_OFF).one(),
        "accepted_share": round(taken / meant, 4) if meant else None,
        "identity": all(run.holds for run in found),
        "statuses": statuses,
        "versions": _versions(house.versions()),
    }
    good = (
        not any(figures[name] for name in _MUST_BE_NONE)
        and unknown.texts <= unknown.hand_overs * GROUP
        and bool(figures["identity"])
        and bool(runs)
    )
    return Judgement(figures, good)


def _without_peoples_words(session: Session, found: Agreement) -> tuple[Agreement, int]:
    """The agreement without what people caused knowingly, and how much that is: a person who sends an unknown text
    again may text somebody twice, and a settled text is what the person said until the network says more.
    """
    settled, again = set(session.scalars(_SETTLED)), set(session.scalars(_SENT_AGAIN))
    open_ = set(session.scalars(_OF_SEVERAL, {"line": LINE, "several": SEVERAL}))
    duplicated = [names for names in found.duplicated if not set(names.split()) & again]
    excused = {what: settled | again for what in found.contradicted if what != UNHEARD} | {UNHEARD: open_}
    contradicted = {what: [n for n in names if n not in excused[what]] for what, names in found.contradicted.items()}
    kept = Agreement([n for n in found.lost if n not in settled], duplicated, contradicted, found.waiting)
    before, after = (len(a.lost) + len(a.duplicated) + sum(map(len, a.contradicted.values())) for a in (found, kept))
    return kept, before - after


def _acknowledged_replies(house: House) -> set[str]:
    """The words of all replies that we acknowledged to the simulators."""
    words: dict[str, str] = {}
    known = set()
    for line in house.ledgers():
        if line["event"] == "reply":
            words[line["id"]] = line["text"]
        elif line["event"] == "replied" and line["acknowledged"]:
            known.add(line["id"])
    return {words[name] for name in known}


def _tell(session: Session, agreement: Agreement, say: Callable[[str], None]) -> None:
    kinds = {"lost": agreement.lost, "duplicated": agreement.duplicated, **agreement.contradicted}
    for what, names in kinds.items():
        if names:
            say(f"{len(names)} texts {what}:")
        for name in names[:_SHOWN]:
            stories = session.scalars(_STORY, {"names": name.split()}).all()
            say(f"  {name}: " + (" | ".join(stories) or "no such attempt"))
    if agreement.waiting:
        say(f"{len(agreement.waiting)} messages still wait: {', '.join(agreement.waiting[:_SHOWN])}")


def _versions(engines: Mapping[str, str], packages: Sequence[str] = _PACKAGES) -> dict[str, str]:
    found = {package: importlib.metadata.version(package) for package in packages}
    return {"python": platform.python_version(), **engines, **found}
