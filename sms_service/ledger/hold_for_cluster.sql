-- Holds every run that the server's earlier life may have taken further than its later life knows: those under way,
-- those that are due, and those that were held for something else, whose release may be what was lost. One that is
-- being frozen has no rows yet: a freeze that is faster makes this wait, and is held with its rows; a slower one
-- finds nothing to freeze. The rows are locked in the order of their ids, and each waits for the gates that hold it.
WITH concerned AS (
    SELECT id, held_for, reason, reason_message FROM runs
    WHERE status IN ('freezing', 'running', 'paused', 'held') OR (status = 'planned' AND due_at <= sms_now())
    ORDER BY id
    FOR UPDATE
)
UPDATE runs r
SET status = 'held',
    held_for = 'cluster',
    reason = %(reason)s::text || CASE WHEN c.held_for <> 'cluster' THEN ' Before, it was held because: ' || c.reason ELSE '' END,
    reason_message = CASE WHEN c.held_for <> 'cluster' THEN jsonb_build_object(
            'message', '{why} Before, it was held because: {before}',
            'values', jsonb_build_object('why', %(message)s::jsonb, 'before', coalesce(c.reason_message, to_jsonb(c.reason))))
        ELSE %(message)s::jsonb END
FROM concerned c
WHERE r.id = c.id
RETURNING r.id, r.unit_path
