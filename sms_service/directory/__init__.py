"""Units, people (members and contacts), and how they are imported."""
