"""What decides whether a text may leave: gateway accounts and routes as the ledger knows them, stops, caps, the
breaker's state of accounts, and which PostgreSQL server the ledger works on. The gate asks all of it, so this room lies
below the ledger.
"""
