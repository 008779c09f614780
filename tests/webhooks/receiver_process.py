"""`python -m tests.webhooks.receiver_process MANNER`: a receiver in a process of its own. It prints its port, then a
line for each request that arrived whole: the event's id, and the body.
"""

from __future__ import annotations

import sys

from tests.hostile_receiver import HostileReceiver


def main() -> None:
    """Receive until somebody ends the process."""
    with HostileReceiver(sys.argv[1]) as receiver:
        sys.stdout.write(f"{receiver.port}\n")
        sys.stdout.flush()
        number = 0
        while True:
            taken = receiver.wait_for(number + 1, timeout_s=600)[number]
            number += 1
            sys.stdout.write(f"{taken.headers['webhook-id']} {taken.body.decode()}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
