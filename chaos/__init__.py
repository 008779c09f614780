"""A city under attack: everything that can break is broken on purpose while it sends (`make chaos MINUTES=30 SEED=1`).

What the line that it prints means is told in docs/chaos.md.
"""
