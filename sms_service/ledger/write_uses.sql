-- Writes sums that `lock_uses` has locked.
UPDATE quota_uses u
SET planned_people = w.planned_people, planned_parts = w.planned_parts, planned_fen = w.planned_fen,
    used_people = w.used_people, used_parts = w.used_parts, used_fen = w.used_fen
FROM jsonb_to_recordset(%(uses)s::jsonb) AS w (
    unit_id bigint, month date, planned_people bigint, planned_parts bigint, planned_fen bigint,
    used_people bigint, used_parts bigint, used_fen bigint
)
WHERE u.unit_id = w.unit_id AND u.month = w.month
