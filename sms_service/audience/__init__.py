"""To whom: segment rules compiled to SQL, and suppression."""
