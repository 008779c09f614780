-- A person is erased: their texts that wait are not sent. All rows of theirs are locked, in the order of ids, so that
-- none is claimed, retried or reported on until the erasure has committed. Their attempts are locked before.
WITH own AS MATERIALIZED (
    SELECT id FROM messages WHERE month = %(month)s::date AND id = ANY (%(ids)s::bigint[]) ORDER BY id FOR UPDATE
),
cancelled AS (
    UPDATE messages m
    SET status = 'cancelled', changed_at = sms_now()
    FROM own
    WHERE m.month = %(month)s::date AND m.id = own.id AND m.status = 'pending'
    RETURNING m.id, m.status, m.reason
),
noted AS (
    -- For the webhooks that want to know; if there is none, nothing is written.
    INSERT INTO happenings (kind, month, target_id, reason)
    SELECT 'message.' || status, %(month)s::date, id, reason FROM cancelled
    WHERE 'message.' || status = ANY ((SELECT wanted_kinds())::text[])
)
SELECT id FROM cancelled
