"""Twilio Programmable Messaging, by its official client.

Read `adapter` (the account), `transport` (how the client's requests leave), `look_ups` (what became of unknown texts),
`pushed` (receipts and replies). `codes.csv` says what its error codes mean.
"""
