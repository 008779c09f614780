"""A hostile provider over HTTP and SMPP that reaches no real phone: a process of its own, for demonstrations and tests.

`python -m sms_service.simulator --help` says how to start it. What it was handed, and what it made of it, stands in its
own ledger, so that ours can be compared with it.
"""
