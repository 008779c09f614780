-- What became of one try of a delivery, and of no later one: a try whose lease was over may have been taken again.
UPDATE webhook_deliveries
SET status = %(status)s, code = %(code)s::smallint, reason = %(reason)s, lease_until = NULL,
    delivered_at = CASE WHEN %(status)s = 'delivered' THEN sms_now() END,
    not_before = sms_now() + make_interval(secs => %(wait_s)s::float)
WHERE id = %(id)s::bigint AND tries = %(tries)s::smallint AND status = 'sending'
RETURNING id
