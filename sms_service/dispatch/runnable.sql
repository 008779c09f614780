-- Running runs with rows that are due. What the gate would forbid for all rows of a run is asked here too, to save work: the window
-- of the campaign's unit, a stop of it, a PostgreSQL that is not the one this ledger worked on. The gate asks for each recipient.
SELECT r.id AS run_id, r.month, r.unit_id, r.lane, r.canary, r.parts_estimate, r.route_id, r.demonstration,
       -- Whether some may be due for another account, since they went before: freeze gives all rows the run's launch as not_before.
       (
           SELECT m.id FROM messages m
           WHERE m.month = r.month AND m.run_id = r.id AND m.status = 'pending'
             AND m.not_before > r.launched_at AND m.not_before <= sms_now()
           ORDER BY m.not_before, m.id LIMIT 1) IS NOT NULL AS again
FROM runs r
JOIN units u ON u.id = r.unit_id
WHERE r.status = 'running'
  AND window_is_open(u.timezone, u.window_opens, u.window_closes)
  AND cluster_is_known()
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
      END
ORDER BY r.id
