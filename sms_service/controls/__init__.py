"""What may leave: gateway accounts and routes as the ledger knows them, stops, caps, the breaker's state of accounts,
which PostgreSQL the ledger is at work on. The gate asks all of it, so it lies below the ledger.
"""
