-- The same as claim.sql for given rows: the canary's, or one half of a group that was refused as a whole.
WITH due AS (
    SELECT id FROM messages
    WHERE month = %(month)s::date AND id = ANY (%(ids)s::bigint[]) AND run_id = %(run_id)s::bigint
      AND status = 'pending' AND not_before <= sms_now()
      AND CASE WHEN %(fresh)s::boolean THEN account_id IS NULL OR account_id <> ALL (%(accounts)s::bigint[])
               ELSE account_id = ANY (%(accounts)s::bigint[]) END
    ORDER BY id
    LIMIT %(size)s::int
    FOR UPDATE SKIP LOCKED
)
UPDATE messages m
SET status = 'claimed',
    claim_token = %(token)s::uuid,
    lease_until = sms_now() + make_interval(secs => %(lease_s)s::float),
    account_id = %(gateway_account_id)s::bigint,
    changed_at = sms_now()
FROM due
WHERE m.month = %(month)s::date AND m.id = due.id
RETURNING m.id, m.values, m.text, m.parts
