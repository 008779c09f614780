"""The ground: engine, sessions, table base, migrations."""
