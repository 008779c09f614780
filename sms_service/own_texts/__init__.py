"""Texts to oneself: an account's own phone, test texts of what it writes, and pushes of what waits for it."""
