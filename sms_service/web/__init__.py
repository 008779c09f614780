"""What the API and the console share: context, fields, paging, idempotency, limits. This room has no routes."""
