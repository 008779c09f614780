-- Recipients' own values of the first waiting rows of each run, to estimate its parts. In the order of the index: on
-- a month without statistics the planner would read all of it for each run.
SELECT r.id AS run_id, sample.values
FROM unnest(%(run_ids)s::bigint[]) AS r (id)
CROSS JOIN LATERAL (
    SELECT m.values FROM messages m
    WHERE m.month = %(month)s::date AND m.run_id = r.id AND m.status = 'pending'
    ORDER BY m.not_before, m.id
    LIMIT %(size)s::int
) AS sample
