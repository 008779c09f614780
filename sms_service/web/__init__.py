"""What the API and the console share: the request's context, fields, paging, idempotency, limits. No route is here."""
