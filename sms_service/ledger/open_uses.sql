-- Begins the sums of the units and months that have a quota and no sum yet. Only then are the month's reservations read,
-- once for all these units.
WITH missing AS MATERIALIZED (
    SELECT p.unit_id, p.month
    FROM jsonb_to_recordset(%(places)s::jsonb) AS p (unit_id bigint, month date)
    WHERE EXISTS (SELECT FROM quotas l WHERE l.unit_id = p.unit_id AND (l.month = p.month OR l.month IS NULL))
      AND NOT EXISTS (SELECT FROM quota_uses u WHERE u.unit_id = p.unit_id AND u.month = p.month)
),
sums AS MATERIALIZED (
    SELECT of_month.month, s.*
    FROM (SELECT DISTINCT month FROM missing) AS of_month
    CROSS JOIN LATERAL (
        SELECT line.unit_id,
               sum(q.people) FILTER (WHERE q.state <> 'used') AS planned_people,
               sum(q.parts) FILTER (WHERE q.state <> 'used') AS planned_parts,
               sum(q.fen) FILTER (WHERE q.state <> 'used') AS planned_fen,
               sum(q.people) FILTER (WHERE q.state = 'used') AS used_people,
               sum(q.parts) FILTER (WHERE q.state = 'used') AS used_parts,
               sum(q.fen) FILTER (WHERE q.state = 'used') AS used_fen
        FROM quota_reservations q
        CROSS JOIN LATERAL unnest(string_to_array(btrim(q.unit_path, '/'), '/')::bigint[]) AS line (unit_id)
        WHERE q.month = of_month.month
        GROUP BY line.unit_id
    ) AS s
)
INSERT INTO quota_uses (
    unit_id, month, planned_people, planned_parts, planned_fen, used_people, used_parts, used_fen
)
SELECT m.unit_id, m.month, coalesce(s.planned_people, 0), coalesce(s.planned_parts, 0), coalesce(s.planned_fen, 0),
       coalesce(s.used_people, 0), coalesce(s.used_parts, 0), coalesce(s.used_fen, 0)
FROM missing m LEFT JOIN sums s ON s.unit_id = m.unit_id AND s.month = m.month
ORDER BY m.month, m.unit_id
ON CONFLICT DO NOTHING
