-- Locks the sums of these units and months in one order, so that two launches at the last thousand take turns and the
-- second sees what the first has taken. The limits are those of the month, or else those of every month.
SELECT u.unit_id, u.month, u.planned_people, u.planned_parts, u.planned_fen, u.used_people, u.used_parts, u.used_fen,
       l.people AS most_people, l.parts AS most_parts, l.fen AS most_fen
FROM jsonb_to_recordset(%(places)s::jsonb) AS p (unit_id bigint, month date)
JOIN quota_uses u ON u.unit_id = p.unit_id AND u.month = p.month
LEFT JOIN LATERAL (
    SELECT q.people, q.parts, q.fen FROM quotas q
    WHERE q.unit_id = u.unit_id AND (q.month = u.month OR q.month IS NULL)
    ORDER BY q.month NULLS LAST LIMIT 1
) AS l ON true
ORDER BY u.month, u.unit_id
FOR UPDATE OF u
