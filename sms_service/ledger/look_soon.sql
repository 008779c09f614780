-- A person has settled texts of runs that ended: the clock looks at these soon, and closes each if they were its last.
-- The runs are locked in the order of ids, so that two people who settle do not deadlock.
WITH ended AS MATERIALIZED (
    SELECT id FROM runs
    WHERE status = 'finished' AND id IN (
        SELECT run_id FROM messages WHERE month = %(month)s::date AND id = ANY (%(ids)s::bigint[]))
    ORDER BY id
    FOR NO KEY UPDATE
)
UPDATE runs SET look_at = 'epoch' FROM ended e WHERE runs.id = e.id AND runs.status = 'finished'
