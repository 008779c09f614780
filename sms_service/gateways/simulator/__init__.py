"""The simulator gateway: a process that behaves like a provider, and its adapter.

`python -m sms_service.gateways.simulator --help` says how to start it. It reaches no real phone. What it was handed,
and what it made of it, stands in its own ledger, so that ours can be compared with it.
"""
