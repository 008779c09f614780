"""Who gets a text: segment rules compiled to SQL, and suppressed phones."""
