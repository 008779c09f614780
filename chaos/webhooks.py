"""Webhooks under attack: who is to be told what, and whether it was told.

What a webhook is owed is found twice: by what the database kept for it, and by how runs, texts, replies and campaigns
stand at the end, since what nobody noted is kept nowhere.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from chaos.receiver import TAKEN
from sms_service.accounts.actors import SYSTEM
from sms_service.audit.happening_models import HappeningKind
from sms_service.channels.sealing import Sealer
from sms_service.directory.models import Unit
from sms_service.webhooks.models import Webhook
from sms_service.webhooks.owning import WANTABLE, add_webhook

# The city wants to know of every text that fails, and one street of each text: all texts of the city would be more
# POSTs than an attack has time for.
_OF_EACH_TEXT = (HappeningKind.message_accepted, HappeningKind.message_delivered, HappeningKind.message_skipped)
_KINDS: Mapping[str, Collection[HappeningKind]] = {
    "C": [kind for kind in WANTABLE if kind not in _OF_EACH_TEXT],
    "S1": WANTABLE,
}
_SHOWN = 10  # of each fault that are told in full

# How things stand: each has come to stand so in a moment that was to be told.
_STANDS = text("""
SELECT kind, id
FROM (
    SELECT 'run.' || status AS kind, id, unit_path FROM runs WHERE campaign_id IS NOT NULL AND kind = 'campaign'
    UNION ALL
    SELECT 'message.' || m.status, m.id, m.unit_path
    FROM messages m JOIN runs r ON r.month = m.month AND r.id = m.run_id WHERE r.campaign_id IS NOT NULL
    UNION ALL
    SELECT 'reply.read', id, coalesce(unit_path, '/')
    FROM replies WHERE matched_at IS NOT NULL AND joined_to IS NULL AND (parts = 1 OR series IS NULL)
    UNION ALL
    SELECT 'approval.' || act, c.id, u.path
    FROM unnest('{submitted,approved}'::text[]) AS act, campaigns c JOIN units u ON u.id = c.unit_id
    WHERE c.status = 'active'
) AS things
WHERE kind = ANY (:kinds) AND (unit_path ^@ :path OR unit_path = '/' AND :top)
""")
_KEPT = text("""
SELECT h.uid::text, h.kind, h.target_id, h.body
FROM webhook_deliveries d JOIN happenings h ON h.id = d.happening_id
WHERE d.webhook_id = :webhook_id
""")


@dataclass(frozen=True, slots=True)
class Listener:
    """A webhook: what the receiver knows of it."""

    webhook_id: int
    path: str  # to which it is POSTed
    secret: str


class Kept(NamedTuple):
    """What the database keeps of an event that a webhook is to be told."""

    kind: str
    target_id: int
    body: Any


class Owed(NamedTuple):
    """What a webhook is to be told: what is `kept` for it, by the event's id, and the kind and target of what `stands`
    as an event made it. Its secret.
    """

    secret: str
    kept: Mapping[str, Kept]
    stands: Collection[tuple[str, int]]


def add_listeners(session: Session, host: str, key: str) -> list[Listener]:
    """Webhooks of the city and of a street, at the receiver of this host. `key`: CHANNELS_KEY."""
    made = []
    for code, kinds in _KINDS.items():
        unit_id = session.scalars(select(Unit.id).where(Unit.code == code)).one()
        webhook, secret = add_webhook(
            *(session, SYSTEM, Sealer([key]), [host], secrets.token_bytes),
            unit_id=unit_id,
            name=code,
            address=f"http://{host}/{code}",
            kinds=kinds,
        )
        made.append(Listener(webhook.id, f"/{code}", secret))
    return made


def judge_webhooks(
    session: Session, listeners: Iterable[Listener], lines: Iterable[Mapping[str, Any]], say: Callable[[str], None]
) -> dict[str, int]:
    """The figures of what these webhooks were told, by the lines of the receiver's ledger."""
    return compare_posts({one.path: _find_owed(session, one) for one in listeners}, lines, say)


def compare_posts(
    owed: Mapping[str, Owed], lines: Iterable[Mapping[str, Any]], say: Callable[[str], None]
) -> dict[str, int]:
    """The same, of what is owed to the webhook of each path."""
    taken: Counter[tuple[str, str]] = Counter()
    answers: Counter[int | None] = Counter()
    false, badly_signed, untold = [], [], []
    for line in lines:
        path, uid = line["path"], line["headers"]["webhook-id"]
        wanted = owed[path]
        if not is_signed(line["headers"], line["body"].encode(), wanted.secret):
            badly_signed.append(f"{path} {uid}")
        if uid not in wanted.kept or wanted.kept[uid].body != json.loads(line["body"]):
            false.append(f"{path} {line['body']}")
        answers[line["answer"]] += 1
        taken[path, uid] += line["answer"] == TAKEN
    for path, wanted in owed.items():
        noted = {(one.kind, one.target_id) for one in wanted.kept.values()}
        untold += [f"{path} {one.kind} {one.target_id}" for uid, one in wanted.kept.items() if not taken[path, uid]]
        untold += [f"{path} {kind} {id_}, which was not noted" for kind, id_ in set(wanted.stands) - noted]
    for what, those in (("false", false), ("badly signed", badly_signed), ("never told", untold)):
        for one in those[:_SHOWN]:
            say(f"webhook, {what}: {one}")
    told = sum(times > 0 for times in taken.values())
    return {
        "webhooks_told": told,
        "webhooks_told_again": answers[TAKEN] - told,
        "webhook_posts_failed": answers.total() - answers[TAKEN],
        "webhooks_untold": len(untold),
        "webhooks_told_falsely": len(false),
        "webhooks_badly_signed": len(badly_signed),
    }


def is_signed(headers: Mapping[str, str], body: bytes, secret: str) -> bool:
    """Whether the signature is right, as docs/webhooks.md tells receivers to ask."""
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    digest = hmac.digest(base64.b64decode(secret.removeprefix("whsec_")), signed, hashlib.sha256)
    return hmac.compare_digest(headers["webhook-signature"], "v1," + base64.b64encode(digest).decode())


def _find_owed(session: Session, listener: Listener) -> Owed:
    kinds, path = session.execute(
        select(Webhook.kinds, Unit.path).join(Unit, Unit.id == Webhook.unit_id).where(Webhook.id == listener.webhook_id)
    ).one()
    kept = session.execute(_KEPT, {"webhook_id": listener.webhook_id})
    stands = session.execute(_STANDS, {"kinds": kinds, "path": path, "top": path.count("/") == 2})
    return Owed(
        listener.secret,
        {uid: Kept(kind, target_id, body) for uid, kind, target_id, body in kept},
        [(kind, id_) for kind, id_ in stands],
    )
