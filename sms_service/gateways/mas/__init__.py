"""China Mobile's cloud MAS, as an account of the adapter `http`; `mas.toml` has all assumptions about it."""
