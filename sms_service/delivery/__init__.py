"""How it arrived: receipts are stored as they come, then applied to the ledger."""
