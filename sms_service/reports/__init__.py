"""Numbers that can be followed down to their rows: delivery counts and the accounting identity."""
