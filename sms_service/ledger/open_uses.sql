-- Begins the sums of the units and months that have a quota and no sum yet. Only then are the month's reservations read.
INSERT INTO quota_uses (
    unit_id, month, planned_people, planned_parts, planned_fen, used_people, used_parts, used_fen
)
SELECT p.unit_id, p.month, s.*
FROM jsonb_to_recordset(%(places)s::jsonb) AS p (unit_id bigint, month date)
CROSS JOIN LATERAL (
    SELECT coalesce(sum(q.people) FILTER (WHERE q.state <> 'used'), 0),
           coalesce(sum(q.parts) FILTER (WHERE q.state <> 'used'), 0),
           coalesce(sum(q.fen) FILTER (WHERE q.state <> 'used'), 0),
           coalesce(sum(q.people) FILTER (WHERE q.state = 'used'), 0),
           coalesce(sum(q.parts) FILTER (WHERE q.state = 'used'), 0),
           coalesce(sum(q.fen) FILTER (WHERE q.state = 'used'), 0)
    FROM quota_reservations q
    WHERE q.month = p.month AND strpos(q.unit_path, '/' || p.unit_id || '/') > 0
) AS s
WHERE EXISTS (SELECT FROM quotas l WHERE l.unit_id = p.unit_id AND (l.month = p.month OR l.month IS NULL))
  AND NOT EXISTS (SELECT FROM quota_uses u WHERE u.unit_id = p.unit_id AND u.month = p.month)
ORDER BY p.month, p.unit_id
ON CONFLICT DO NOTHING
