"""The obvious way to send texts with RQ, for comparison: one job for each text, which renders it, POSTs it and records
the result.

The worker keeps what it can: the compiled template, the HTTP connection, the connection to PostgreSQL. A forking worker
does each job in a new process and can keep only the template.
"""

from __future__ import annotations

import functools
import os

import psycopg
import requests
from jinja2 import Template

from benchmarks import city
from sms_service.content.classes import UNSUBSCRIBE_LINE

QUEUE = "peers"

_template = Template(city.BODY)
_gateway = requests.Session()


@functools.cache
def _database() -> psycopg.Connection[tuple[str, str, str]]:
    return psycopg.connect(os.environ["DATABASE_URL"], autocommit=True)


def send(text_id: int) -> None:
    """What one job does."""
    query = "SELECT phone, name, unit FROM peer_texts WHERE id = %s AND status = 'pending'"
    row = _database().execute(query, [text_id]).fetchone()
    if row is None:
        return
    phone, name, unit = row
    text = f"【{city.SIGNATURE}】{_template.render(name=name, unit=unit)}{UNSUBSCRIBE_LINE}"
    answer = _gateway.post(
        f"{os.environ['SIMULATOR_URL']}/messages",
        json={"reference": f"peer-{text_id}", "to": phone, "text": text},
        headers={"Authorization": f"Bearer {os.environ['SIMULATOR_SECRET']}"},
        timeout=30,
    )
    accepted = answer.status_code == 201
    _database().execute(
        "UPDATE peer_texts SET status = %s, text = %s, provider_id = %s, sent_at = clock_timestamp() WHERE id = %s",
        ["accepted" if accepted else "refused", text, answer.json()["id"] if accepted else None, text_id],
    )
