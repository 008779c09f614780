-- What became of a post, and when its channel may have the next. The outcome of the try that is meant, and of no later
-- one, also if the row had become unknown meanwhile; but what is unknown waits for a person and does not go again.
WITH freed AS (
    UPDATE channels SET free_at = sms_now() + make_interval(secs => %(rest_s)s::float) WHERE id = %(channel_id)s::bigint
)
UPDATE channel_posts
SET status = %(status)s, reason = %(reason)s, code = %(code)s, detail = %(detail)s, lease_until = NULL,
    posted_at = CASE WHEN %(status)s = 'posted' THEN sms_now() END,
    not_before = sms_now() + make_interval(secs => %(wait_s)s::float)
WHERE id = %(id)s::bigint AND tries = %(tries)s::smallint
  AND (status = 'posting' OR (status = 'unknown' AND %(status)s <> 'pending'))
RETURNING id
