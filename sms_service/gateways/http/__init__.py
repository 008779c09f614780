"""Any provider with an HTTP interface, described in `gateways.toml`; docs/gateways-http.md is the operator's reference.

`options` declares the options, and `plan` checks them and builds the parts that work: `calls` makes requests from
templates, `answers` reads how a hand-over ended, `records` reads receipts and replies, `proof` verifies callbacks.
`documents` and `paths` find fields in what a provider sends; `signing` computes digests for both directions.
"""
