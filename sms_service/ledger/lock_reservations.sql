-- Locks the reservations of these runs in the order of their ids, as all do, and returns what they take until now. A run
-- without one gets one that takes nothing: so the two cases are one, and two who begin at once meet at the same row.
INSERT INTO quota_reservations AS q (run_id, month, unit_path, state)
SELECT w.run_id, w.month, w.unit_path, 'asked'
FROM jsonb_to_recordset(%(wanted)s::jsonb) AS w (run_id bigint, month date, unit_path text)
ORDER BY w.run_id
ON CONFLICT (run_id) DO UPDATE SET run_id = q.run_id
RETURNING q.run_id, q.month, q.unit_path, q.state, q.people, q.parts, q.fen, q.released
