-- Of these runs those that are running, and whether each has rows that are due. What the gate would forbid for all
-- rows of a run is asked here too, to save work: the window of the campaign's unit, a stop of it, a PostgreSQL that
-- is not the one this ledger worked on. The gate asks for each recipient. How many runs are asked about is bounded
-- (lookout.py): the answer costs two look-ups in an index for each.
SELECT r.*,
       -- Whether some may be due for another account, since they went before: freeze gives all rows the run's launch
       -- as not_before.
       r.due AND (
           SELECT m.id FROM messages m
           WHERE m.month = r.month AND m.run_id = r.run_id AND m.status = 'pending'
             AND m.not_before > r.launched_at AND m.not_before <= sms_now()
           ORDER BY m.not_before, m.id LIMIT 1) IS NOT NULL AS again
FROM (
    SELECT r.id AS run_id, r.month, r.unit_id, r.lane, r.canary, r.parts_estimate, r.route_id, r.demonstration, r.launched_at,
           window_is_open(u.timezone, u.window_opens, u.window_closes)
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
