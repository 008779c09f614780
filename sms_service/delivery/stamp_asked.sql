-- Takes attempts of one month that take_unknown.sql or take_silent.sql found. The stamp is both lease and back-off: a
-- process stamps and commits before it asks, and leaves attempts that another process has stamped since they were
-- read. So two processes never ask about the same text. An attempt whose outcome or receipt is being written at this
-- moment is passed over, since that says more than a look-up.
WITH free AS MATERIALIZED (
    SELECT id FROM attempts
    WHERE month = %(month)s::date AND id = ANY (%(ids)s::bigint[]) AND status = %(status)s
      AND (looked_up_at IS NULL OR sms_now() - looked_up_at >= (looked_up_at - started_at) / 4)
    FOR NO KEY UPDATE SKIP LOCKED
)
UPDATE attempts a SET looked_up_at = sms_now()
FROM free f
WHERE a.month = %(month)s::date AND a.id = f.id
RETURNING a.id
