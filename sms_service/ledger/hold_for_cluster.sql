-- Holds every run that may have gone further before the restore or promotion than the server knows now: runs under
-- way, due runs, and runs that were held for another reason, since their release may be lost. A run that is being
-- frozen has no rows yet. If the freeze is faster, this waits for it and holds the run with its rows; if it is slower,
-- it finds nothing to freeze. The runs are locked in the order of their ids, and each waits for the gates that hold
-- it.
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
