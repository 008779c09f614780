"""Twilio Programmable Messaging, by its official client.

Read `adapter` (the account), `transport` (how the client's requests leave), `look_ups` (asking about unknown texts),
`pushed` (receipts and replies). `codes.csv` says what Twilio's error codes mean.
"""
