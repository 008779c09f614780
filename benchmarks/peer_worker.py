"""`python -m benchmarks.peer_worker Worker|SimpleWorker`: one of RQ's own workers on the queue of `benchmarks.peers`.

Everything is imported before the jobs begin, whereas `rq worker` would import it again in each forked job.
"""

from __future__ import annotations

import os
import sys

import rq
from redis import Redis

from benchmarks.peers import QUEUE

if __name__ == "__main__":
    connection = Redis.from_url(os.environ["REDIS_URL"])
    kinds = {"Worker": rq.Worker, "SimpleWorker": rq.SimpleWorker}
    kinds[sys.argv[1]]([rq.Queue(QUEUE, connection=connection)], connection=connection).work(logging_level="WARNING")
