-- Writes reservations that `lock_reservations` has locked.
UPDATE quota_reservations q
SET month = w.month, unit_path = w.unit_path, state = w.state, people = w.people, parts = w.parts, fen = w.fen,
    delivered = w.delivered,
    look_at = CASE WHEN w.again_s IS NOT NULL THEN sms_now() + make_interval(secs => w.again_s) END
FROM jsonb_to_recordset(%(wanted)s::jsonb) AS w (
    run_id bigint, month date, unit_path text, state text, people bigint, parts bigint, fen bigint, delivered bigint,
    again_s float
)
WHERE q.run_id = w.run_id
