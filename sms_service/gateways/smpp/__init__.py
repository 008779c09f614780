"""SMPP 3.4 carrier lines: a session that stays open, its window, and what arrives over it.

Read in this order: `adapter` (the account and its link), `line` (reconnecting and pace), `session` (one connection),
`texts` (a text's parts and the state of each), `deliveries` (receipts and replies), `pdus` (bytes).
Source: Short Message Peer to Peer Protocol Specification v3.4, Issue 1.2.
"""
