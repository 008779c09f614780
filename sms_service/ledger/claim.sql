-- Leases due rows of one run to one worker. SKIP LOCKED, so that workers never wait for each other's rows; in the
-- order of the partial index, so that the oldest due rows go first and nothing is sorted. Nothing has left yet, so a
-- lost lease costs nothing. A pending row's account_id is an account that did not take it, for certain. The account
-- that is `fresh` (first in the route) takes all rows except those that other accounts should try; any other account
-- takes only rows for which it is the next.
WITH due AS (
    SELECT id FROM messages
    WHERE month = %(month)s::date AND run_id = %(run_id)s::bigint AND status = 'pending' AND not_before <= sms_now()
      AND CASE WHEN %(fresh)s::boolean THEN account_id IS NULL OR account_id <> ALL (%(accounts)s::bigint[])
               ELSE account_id = ANY (%(accounts)s::bigint[]) END
    ORDER BY not_before, id
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
