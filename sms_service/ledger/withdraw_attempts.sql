-- Withdraws the attempts of a group that was not handed over, for certain, in the order of ids, as every statement
-- that changes many of them. If the lease has ended, they are `unknown`; what a receipt or a person has said since
-- then stands. The phone is removed, so that a receipt without a name cannot match such an attempt.
WITH mine AS MATERIALIZED (
    SELECT id FROM attempts
    WHERE month = %(month)s::date AND message_id = ANY (%(ids)s::bigint[]) AND claim_token = %(token)s::uuid
      AND status IN ('submitting', 'unknown')
    ORDER BY id
    FOR NO KEY UPDATE
)
UPDATE attempts a
SET status = 'refused', error = 'withdrawn', phone = NULL, outcome_at = sms_now()
FROM mine w
WHERE a.month = %(month)s::date AND a.id = w.id
RETURNING a.message_id, a.number
