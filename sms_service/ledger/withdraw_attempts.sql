-- The attempts of a group that was surely not handed over, in the order of ids, as every statement that touches many
-- of them. If the lease ended meanwhile they are `unknown`; what a receipt or a person said of one since then stands.
-- Without its phone none is thought of when a receipt comes that names nobody.
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
