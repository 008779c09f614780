-- After a try that failed the webhook rests; after one that did not it has no failures any more. Where a delivery is
-- given up it is disabled, until a person enables it; `was` is what it was before. It comes before record_delivery.sql,
-- since whoever takes a delivery locks the webhook first.
UPDATE webhooks w
SET failures = CASE WHEN %(failed)s THEN least(w.failures + 1, 30000) ELSE 0 END,
    free_at = sms_now() + make_interval(secs => %(rest_s)s::float),
    state = CASE WHEN %(disables)s AND w.state = 'open' THEN 'disabled' ELSE w.state END,
    state_since = CASE WHEN %(disables)s AND w.state = 'open' THEN sms_now() ELSE w.state_since END
FROM (SELECT id, state AS was FROM webhooks WHERE id = %(webhook_id)s::bigint FOR NO KEY UPDATE) before
WHERE w.id = before.id
RETURNING before.was, w.state
