"""Who logs in, with which roles on which units, and with which tokens."""
