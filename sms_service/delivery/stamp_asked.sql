-- Takes attempts of one month that take_unknown.sql or take_silent.sql found. The stamp is lease and back-off in one:
-- whoever asks stamps and commits first, and what another process has stamped since it was read is left to that one,
-- so two never ask about the same text. One whose outcome or receipt is being written at this moment is passed over:
-- it says more.
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
