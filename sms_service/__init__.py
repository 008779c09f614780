"""Bulk SMS campaigns with an exact ledger: from an office's spreadsheet to delivery counts."""
