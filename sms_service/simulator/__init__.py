"""A hostile provider over HTTP and SMPP that reaches no real phone: a process of its own, for demonstrations and tests.

`python -m sms_service.simulator --help` says how to start it. Its own ledger records what it was handed and how it
answered, so that our ledger can be compared with it.
"""
