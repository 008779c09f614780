-- Running runs of each lane: the next ones by id, the newest ones, and those that a wake-up named. However many runs
-- are running, it reads only so many entries of the index.
SELECT l.lane, r.id, r.unit_id, r.listed
FROM unnest(%(lanes)s::text[], %(after)s::bigint[]) AS l (lane, after)
CROSS JOIN LATERAL (
    (SELECT id, unit_id, true AS listed FROM runs
     WHERE status = 'running' AND lane = l.lane AND id > l.after ORDER BY id LIMIT %(most)s::int)
    UNION ALL
    (SELECT id, unit_id, false FROM runs
     WHERE status = 'running' AND lane = l.lane AND id > l.after ORDER BY id DESC LIMIT %(newest)s::int)
) AS r
UNION ALL
SELECT lane, id, unit_id, false FROM runs WHERE status = 'running' AND id = ANY (%(told)s::bigint[])
