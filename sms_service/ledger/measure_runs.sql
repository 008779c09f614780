-- What runs of one month take: what their accounts took, with the parts as reports/counts.py counts them, and an estimate
-- of what still waits to leave. A text of which nobody can tell whether it was taken counts, until somebody can. Answers
-- to replies take quota, too, but do not count as texts that arrived, of which units have targets.
SELECT r.id AS run_id, r.month, r.unit_path, r.status,
       count(*) FILTER (WHERE s.waits OR s.taken > 0) AS people,
       (coalesce(sum(s.taken), 0)
           + ceil(round((count(*) FILTER (WHERE s.waits) * greatest(r.parts_estimate, 1))::numeric, 6)))::bigint AS parts,
       ceil(round((coalesce(sum(s.taken * s.price_fen), 0)
           + count(*) FILTER (WHERE s.waits) * greatest(r.parts_estimate, 1) * coalesce(max(p.fen), 0))::numeric, 6)
       )::bigint AS fen,
       count(*) FILTER (WHERE s.status = 'delivered' AND r.kind = 'campaign') AS delivered,
       count(*) FILTER (WHERE s.status IN ('submitting', 'accepted', 'unknown')) AS awaited
FROM runs r
LEFT JOIN LATERAL (
    SELECT CASE WHEN bool_and(g.price_fen IS NOT NULL) THEN sum(g.price_fen * m.weight) / sum(m.weight) END AS fen
    FROM route_members m JOIN gateway_accounts g ON g.id = m.account_id
    WHERE m.route_id = r.route_id AND g.state = 'open' AND m.priority = (
        SELECT min(o.priority) FROM route_members o JOIN gateway_accounts a ON a.id = o.account_id
        WHERE o.route_id = r.route_id AND a.state = 'open')
) AS p ON true
LEFT JOIN LATERAL (
    SELECT m.status, g.price_fen,
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
    FROM messages m LEFT JOIN gateway_accounts g ON g.id = m.account_id
    WHERE m.month = %(month)s::date AND m.run_id = r.id AND m.status <> 'skipped'
) AS s ON true
WHERE r.month = %(month)s::date AND r.id = ANY (%(run_ids)s::bigint[]) AND r.kind IN ('campaign', 'answer')
GROUP BY r.id
ORDER BY r.id
