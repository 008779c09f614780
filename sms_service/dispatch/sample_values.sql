-- Recipients' own values in the first waiting rows of each run, to estimate its parts. They are read in the order of
-- an index: in a month without statistics the planner would otherwise read the whole month for each run.
SELECT r.id AS run_id, sample.values
FROM unnest(%(run_ids)s::bigint[]) AS r (id)
CROSS JOIN LATERAL (
    SELECT m.values FROM messages m
    WHERE m.month = %(month)s::date AND m.run_id = r.id AND m.status = 'pending'
    ORDER BY m.not_before, m.id
    LIMIT %(size)s::int
) AS sample
