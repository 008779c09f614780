"""`python -m tests.system.pointed_worker POINT N SIGNAL FILE [LINK]`: a worker, or the worker of a link, that ends or
stops itself at a point.

The N-th time that it passes POINT it sends itself SIGNAL (SIGKILL or SIGSTOP). Its clock goes ahead by as many seconds
as FILE says, from the moment the file is there: so time passes for a stopped worker without anybody waiting.
"""

from __future__ import annotations

import itertools
import signal
import sys
import threading
from pathlib import Path

import worker
from sms_service.dispatch.points import Point
from sms_service.gateways.http_client import boot_clock


def main() -> int:
    """Run the worker; returns its exit code."""
    point, nth, what, ahead = Point(sys.argv[1]), int(sys.argv[2]), signal.Signals[sys.argv[3]], Path(sys.argv[4])
    passings = itertools.count(1)

    def at(passed: Point) -> None:
        if passed is point and next(passings) == nth:
            # To this thread: it does not take one step further, as it might while another thread gets the signal.
            signal.pthread_kill(threading.get_ident(), what)

    link = sys.argv[5] if len(sys.argv) > 5 else None
    return worker.main(lambda: boot_clock() + (float(ahead.read_text()) if ahead.exists() else 0.0), at, link=link)


if __name__ == "__main__":
    sys.exit(main())
