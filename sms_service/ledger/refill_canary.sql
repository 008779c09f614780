-- Rows of the canary that will have no outcome soon are replaced by other rows of the run that may leave now. These
-- are rows that were skipped at the gate or ended before they left; rows that are put off, because their unit's
-- window is closed, a stop holds or the gateway asked for a later try; and rows that have waited again for longer
-- than a moment, since no account takes them. Otherwise one stopped branch or one throttled text would hold back a
-- whole city, and a canary of nothing but skipped rows would prove nothing. A row that was replaced waits like the
-- rest of the run. The first hand-over is noted, since judge_canary.sql counts from it.
WITH run AS MATERIALIZED (
    SELECT canary, canary_since, class, signature, kind, string_to_array(btrim(unit_path, '/'), '/')::bigint[] AS unit_ids
    FROM runs WHERE id = %(run_id)s::bigint AND status = 'running' AND canary IS NOT NULL
),
seen AS MATERIALIZED (
    SELECT coalesce(array_agg(m.id) FILTER (WHERE NOT v.silent), '{}') AS kept,
           coalesce(array_agg(m.id) FILTER (WHERE v.silent AND m.status = 'pending'), '{}') AS put_off,
           count(*) FILTER (WHERE v.silent) AS silent,
           bool_or(m.attempts > 0) AS begun
    FROM messages m
    CROSS JOIN LATERAL (
        SELECT m.status IN ('skipped', 'expired', 'cancelled')
            OR (m.status = 'pending' AND m.not_before > sms_now())
            OR (m.status = 'pending' AND m.attempts > 0
                AND m.changed_at <= sms_now() - make_interval(secs => %(moment_s)s::float)) AS silent
    ) v
    WHERE m.month = %(month)s::date AND m.id = ANY ((SELECT canary FROM run)::bigint[])
),
quiet AS MATERIALIZED (
    SELECT u.path, q.day
    FROM run r, quiet_days q JOIN units u ON u.id = q.unit_id
    WHERE q.day BETWEEN (sms_now() AT TIME ZONE 'UTC')::date - 1 AND (sms_now() AT TIME ZONE 'UTC')::date + 1
      AND r.class = ANY (q.classes) AND r.kind <> 'test'
),
other AS MATERIALIZED (
    SELECT array_agg(w.id) AS ids
    FROM (
        SELECT m.id
        FROM run c, seen s, messages m JOIN units u ON u.id = m.unit_id
        WHERE m.month = %(month)s::date AND m.run_id = %(run_id)s::bigint AND m.status = 'pending' AND m.not_before <= sms_now()
          AND s.silent > 0
          -- Not rows that were replaced before either: each may try once.
          AND m.attempts = 0
          AND m.id <> ALL (c.canary)
          AND window_is_open(u.timezone, u.window_opens, u.window_closes)
          AND NOT EXISTS (SELECT FROM quiet q WHERE q.day = (sms_now() AT TIME ZONE u.timezone)::date AND u.path ^@ q.path)
          AND NOT EXISTS (
              SELECT FROM stops t JOIN units tu ON tu.id = t.unit_id
              WHERE t.released_at IS NULL AND (u.path ^@ tu.path OR m.unit_path ^@ tu.path))
          -- Not rows that the gate would skip; but as long as nothing has left at all, the gate may find that out.
          AND (cardinality(s.kept) = 0 OR EXISTS (
              SELECT FROM people p
              WHERE p.id = m.person_id AND p.phone = m.phone AND (p.left_at IS NULL OR p.kind = 'guest')
                AND NOT p.lost_contact))
          AND (cardinality(s.kept) = 0 OR NOT EXISTS (
              SELECT FROM suppressions p
              WHERE p.phone = m.phone AND p.lifted_at IS NULL AND (p.unit_id IS NULL OR p.unit_id = ANY (c.unit_ids))
                AND (p.class IS NULL OR p.class = c.class) AND (p.signature IS NULL OR p.signature = c.signature)))
          AND (cardinality(s.kept) = 0 OR NOT EXISTS (
              SELECT FROM cap_uses n
              WHERE n.class = m.class AND n.used >= find_cap(u.path, m.class) AND n.phone = m.phone AND n.day = (sms_now() AT TIME ZONE u.timezone)::date))
        ORDER BY m.not_before, m.id
        LIMIT (SELECT cardinality(c.canary) - cardinality(s.kept) FROM run c, seen s)
    ) w
)
UPDATE runs r
-- If no other row can take a place, the row that is put off keeps it: a canary of the few others would prove too
-- little.
SET canary = CASE WHEN o.ids IS NULL THEN r.canary
                  ELSE s.kept || o.ids || s.put_off[:cardinality(c.canary) - cardinality(s.kept) - cardinality(o.ids)] END,
    canary_since = coalesce(r.canary_since, CASE WHEN s.begun THEN sms_now() END)
FROM run c, seen s, other o
WHERE r.id = %(run_id)s::bigint AND r.status = 'running' AND r.canary = c.canary
  AND (o.ids IS NOT NULL OR (s.begun AND r.canary_since IS NULL))
