-- Which of these runs are running, and whether each has rows that are due. To save work, this also asks what would
-- make the gate refuse all rows of a run: the window of the campaign's unit, a quiet day or a stop of that unit, another PostgreSQL
-- server than the one this ledger worked on. The gate asks again for each recipient. The number of runs is limited
-- (lookout.py), since each costs two look-ups in an index.
SELECT r.*,
       -- Whether some rows may be due for another account, because they were handed over before: freeze gives every
       -- row the run's launch as not_before.
       r.due AND (
           SELECT m.id FROM messages m
           WHERE m.month = r.month AND m.run_id = r.run_id AND m.status = 'pending'
             AND m.not_before > r.launched_at AND m.not_before <= sms_now()
           ORDER BY m.not_before, m.id LIMIT 1) IS NOT NULL AS again
FROM (
    SELECT r.id AS run_id, r.month, r.unit_id, r.lane, r.canary, r.parts_estimate, r.route_id, r.demonstration, r.launched_at,
           r.template_version_id,
           window_is_open(u.timezone, u.window_opens, u.window_closes)
           AND NOT is_quiet(u.path, u.timezone, r.class, r.kind)
           AND (SELECT cluster_is_known())
           AND NOT EXISTS (
               SELECT FROM stops s JOIN units su ON su.id = s.unit_id
               WHERE s.released_at IS NULL AND (u.path ^@ su.path OR r.unit_path ^@ su.path))
           AND CASE WHEN r.canary IS NULL THEN (
                   -- In the order of the index: see finish_runs.sql.
                   SELECT m.id FROM messages m
                   WHERE m.month = r.month AND m.run_id = r.id AND m.status = 'pending' AND m.not_before <= sms_now()
                   ORDER BY m.not_before, m.id LIMIT 1) IS NOT NULL
               ELSE EXISTS (
                   SELECT FROM messages m
                   WHERE m.month = r.month AND m.id = ANY (r.canary) AND m.status = 'pending' AND m.not_before <= sms_now())
               END AS due
    FROM runs r
    JOIN units u ON u.id = r.unit_id
    WHERE r.id = ANY (%(run_ids)s::bigint[]) AND r.status = 'running'
    OFFSET 0
) AS r
