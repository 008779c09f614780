"""The ledger: a row for every person and every run before anything is sent, and the only functions that change a
status.
"""
