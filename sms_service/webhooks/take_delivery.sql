-- Takes the next delivery of a webhook that the caller has locked (lock_webhook.sql): pending -> sending, unless others
-- have taken enough of it meanwhile. The caller sends only after it has seen this commit; a process that dies in
-- between leaves a lease that ends.
WITH due AS MATERIALIZED (
    SELECT id FROM webhook_deliveries
    WHERE webhook_id = %(webhook_id)s::bigint AND status = 'pending' AND not_before <= sms_now()
      AND (SELECT count(*) FROM webhook_deliveries WHERE webhook_id = %(webhook_id)s::bigint AND status = 'sending')
          < %(at_once)s::int
    ORDER BY not_before, id
    LIMIT 1
    FOR UPDATE SKIP LOCKED
),
turn AS (
    UPDATE webhooks SET taken_at = sms_now() WHERE id = %(webhook_id)s::bigint AND EXISTS (SELECT FROM due)
)
UPDATE webhook_deliveries d
SET status = 'sending', tries = least(d.tries + 1, 30000), tried_at = sms_now(),
    first_tried_at = coalesce(d.first_tried_at, sms_now()),
    lease_until = sms_now() + make_interval(secs => %(lease_s)s::float)
FROM due, happenings h
WHERE d.id = due.id AND h.id = d.happening_id
RETURNING d.id, d.webhook_id, d.tries, d.first_tried_at, h.uid, h.body, sms_now() AS now
