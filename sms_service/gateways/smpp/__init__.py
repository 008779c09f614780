"""SMPP 3.4 carrier lines: a session that stays open, its window, and what comes over it.

Read `adapter` (the account and its link), `line` (how it comes back, its pace), `session` (one connection), `texts` (a
text's parts and what became of each), `deliveries` (receipts and replies), `pdus` (bytes).
Source: Short Message Peer to Peer Protocol Specification v3.4, Issue 1.2.
"""
