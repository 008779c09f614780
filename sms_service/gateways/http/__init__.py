"""Any provider with an HTTP interface, described in `gateways.toml`; docs/gateways-http.md is the operator's reference.

`options` is what can be said, `plan` checks it and makes of it what works: `calls` make requests from templates,
`answers` reads what became of a hand-over, `records` reads receipts and replies, `proof` tells genuine callbacks from
others. `documents` and `paths` find fields in what a provider sends, `signing` computes digests for both sides.
"""
