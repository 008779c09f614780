-- Canary rows that say nothing soon make room for others of the run that may leave now: those that were left out at the gate or ended
-- before they left, and those that were never handed over and are put off, because their unit's window is closed or somebody stopped
-- it. Otherwise one stopped branch would hold back a whole city, and a canary of nothing but skipped rows would prove nothing.
WITH silent AS (
    SELECT r.id, r.canary,
           coalesce(array_agg(m.id) FILTER (WHERE NOT v.silent), '{}') AS kept
    FROM runs r
    JOIN messages m ON m.month = %(month)s::date AND m.id = ANY (r.canary)
    CROSS JOIN LATERAL (
        SELECT m.status IN ('skipped', 'expired', 'cancelled')
            OR (m.status = 'pending' AND m.attempts = 0 AND m.not_before > sms_now()) AS silent
    ) v
    WHERE r.month = %(month)s::date AND r.status = 'running' AND r.canary IS NOT NULL
    GROUP BY r.id
    HAVING bool_or(v.silent)
)
UPDATE runs r
SET canary = s.kept || other.ids
FROM silent s
CROSS JOIN LATERAL (
    SELECT array_agg(w.id) AS ids
    FROM (
        SELECT m.id
        FROM messages m JOIN units u ON u.id = m.unit_id
        WHERE m.month = %(month)s::date AND m.run_id = s.id AND m.status = 'pending' AND m.not_before <= sms_now()
          AND m.id <> ALL (s.canary)
          AND window_is_open(u.timezone, u.window_opens, u.window_closes)
          AND NOT EXISTS (
              SELECT FROM stops t JOIN units tu ON tu.id = t.unit_id
              WHERE t.released_at IS NULL AND (u.path ^@ tu.path OR m.unit_path ^@ tu.path))
          -- Nor those that the gate would only skip; but while nothing has left at all, it may find that out.
          AND (cardinality(s.kept) = 0 OR NOT EXISTS (SELECT FROM suppressions p WHERE p.phone = m.phone))
          AND (cardinality(s.kept) = 0 OR NOT EXISTS (
              SELECT FROM caps k JOIN cap_uses n ON n.class = k.class AND n.used >= k.per_day
              WHERE k.class = m.class AND n.phone = m.phone AND n.day = (sms_now() AT TIME ZONE u.timezone)::date))
        ORDER BY m.not_before, m.id
        LIMIT cardinality(s.canary) - cardinality(s.kept)
    ) w
) other
WHERE r.id = s.id AND r.status = 'running' AND r.canary = s.canary AND other.ids IS NOT NULL
