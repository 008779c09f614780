"""What people answer: stored before it is acknowledged, matched to member and last message, heeded if it means stop."""
