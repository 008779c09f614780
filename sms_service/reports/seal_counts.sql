-- What a day's rows come to now, by each unit above them, kind and status: what a seal keeps.
SELECT u.id AS unit_id, counted.kind, counted.status, sum(counted.messages)::bigint AS messages, sum(counted.parts)::bigint AS parts
FROM (
    SELECT m.unit_path, r.kind, m.status, count(*) AS messages, coalesce(sum(t.parts), 0) AS parts
    FROM runs r JOIN messages m ON m.month = %(month)s::date AND m.run_id = r.id
    CROSS JOIN LATERAL (
        SELECT sum(a.parts) AS parts FROM attempts a
        WHERE a.month = %(month)s::date AND a.message_id = m.id
          AND a.status IN ('accepted', 'no_receipt', 'undelivered', 'delivered')
    ) t
    WHERE r.month = %(month)s::date AND r.day = %(day)s::date AND r.audience IS NOT NULL
    GROUP BY 1, 2, 3
) counted
CROSS JOIN LATERAL unnest(string_to_array(trim(both '/' FROM counted.unit_path), '/')::bigint[]) AS u (id)
GROUP BY 1, 2, 3
