-- What runs of one month take: what their accounts took, with the parts as reports/counts.py counts them, and an estimate
-- of what still waits to leave. A text of which nobody can tell whether it was taken counts, until somebody can. Answers
-- to replies take quota, too, but do not count as texts that arrived, of which units have targets.
--
-- The rows of each run are summed apart, in the order of an index, so that they are looked up by run: statistics of a
-- month with one large run say that all rows are of any run, and the planner would read the month for each answer.
SELECT r.id AS run_id, r.month, r.unit_path, r.status, s.people,
       (s.taken + ceil(round((s.waiting * greatest(r.parts_estimate, 1))::numeric, 6)))::bigint AS parts,
       ceil(round((s.paid + s.waiting * greatest(r.parts_estimate, 1) * coalesce(p.fen, 0))::numeric, 6))::bigint AS fen,
       CASE WHEN r.kind = 'campaign' THEN s.delivered ELSE 0 END AS delivered,
       s.awaited
FROM runs r
LEFT JOIN LATERAL (
    SELECT CASE WHEN bool_and(g.price_fen IS NOT NULL) THEN sum(g.price_fen * m.weight) / sum(m.weight) END AS fen
    FROM route_members m JOIN gateway_accounts g ON g.id = m.account_id
    WHERE m.route_id = r.route_id AND g.state = 'open' AND m.priority = (
        SELECT min(o.priority) FROM route_members o JOIN gateway_accounts a ON a.id = o.account_id
        WHERE o.route_id = r.route_id AND a.state = 'open')
) AS p ON true
CROSS JOIN LATERAL (
    SELECT count(*) FILTER (WHERE waits OR taken > 0) AS people,
           count(*) FILTER (WHERE waits) AS waiting,
           coalesce(sum(taken), 0) AS taken,
           coalesce(sum(taken * price_fen), 0) AS paid,
           count(*) FILTER (WHERE status = 'delivered') AS delivered,
           count(*) FILTER (WHERE status IN ('submitting', 'accepted', 'unknown')) AS awaited
    FROM (
        SELECT m.status, m.account_id,
               m.status IN ('pending', 'claimed', 'submitting') AND r.status <> 'cancelled' AS waits,
               CASE WHEN m.attempts = 0 THEN 0
                    WHEN m.status = 'unknown' OR (m.status = 'submitting' AND r.status = 'cancelled') THEN coalesce(m.parts, 1)
                    WHEN m.attempts = 1 AND m.status IN ('accepted', 'no_receipt', 'undelivered', 'delivered')
                        AND m.parts IS NOT NULL THEN m.parts
                    WHEN m.attempts = 1 AND m.status IN ('submitting', 'refused') THEN 0
                    ELSE coalesce((
                        SELECT sum(a.parts) FROM attempts a
                        WHERE a.month = %(month)s::date AND a.message_id = m.id
                          AND a.status IN ('accepted', 'no_receipt', 'undelivered', 'delivered')), 0) END AS taken
        FROM messages m
        WHERE m.month = %(month)s::date AND m.run_id = r.id AND m.status <> 'skipped'
        ORDER BY m.phone
    ) AS m
    LEFT JOIN gateway_accounts g ON g.id = m.account_id
) AS s
WHERE r.month = %(month)s::date AND r.id = ANY (%(run_ids)s::bigint[]) AND r.kind IN ('campaign', 'answer')
ORDER BY r.id
