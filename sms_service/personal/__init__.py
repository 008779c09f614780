"""What is held about one person: shown to them, and erased. The only room that reaches into all others."""
