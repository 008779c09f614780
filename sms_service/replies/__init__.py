"""What people answer: stored before it is acknowledged, matched to person and last message; a stop is obeyed
at once.
"""
