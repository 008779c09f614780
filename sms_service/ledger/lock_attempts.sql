-- Locks these attempts until the transaction ends, in the order of ids, as every statement that changes many attempts,
-- so that it does not deadlock with the outcomes of the same group. LATERAL with its lock forces one look-up for each.
SELECT a.id
FROM (SELECT DISTINCT id FROM unnest(%(ids)s::bigint[]) AS t (id) ORDER BY id) t
CROSS JOIN LATERAL (SELECT id FROM attempts WHERE month = %(month)s::date AND id = t.id FOR UPDATE) a
