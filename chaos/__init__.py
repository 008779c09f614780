"""A city under attack: everything that can break is broken on purpose while it sends (`make chaos MINUTES=30 SEED=1`).

docs/chaos.md explains the line that it prints.
"""
