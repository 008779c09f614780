"""Running an installation: its processes, its schema, its health."""
