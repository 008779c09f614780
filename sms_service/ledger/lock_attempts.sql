-- Holds these attempts as they are until the transaction ends. In id order, as every statement that touches many
-- attempts does: no deadlock with the outcomes of the same group. One look-up each, which LATERAL with its lock
-- forces.
SELECT a.id
FROM (SELECT DISTINCT id FROM unnest(%(ids)s::bigint[]) AS t (id) ORDER BY id) t
CROSS JOIN LATERAL (SELECT id FROM attempts WHERE month = %(month)s::date AND id = t.id FOR UPDATE) a
