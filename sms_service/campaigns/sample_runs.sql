-- Of each of these runs, the messages to these people and those to its first recipients, and whether the text of each
-- is one of these. Both are found by the key of recipients, so that a run costs as many rows as are asked about,
-- however large it is.
SELECT r.id AS run_id, m.person_id, coalesce(m.text = ANY (%(texts)s::text[]), false) AS same
FROM unnest(%(run_ids)s::bigint[], %(months)s::date[]) AS r (id, month)
CROSS JOIN LATERAL (
    (SELECT person_id, text FROM messages
     WHERE month = r.month AND run_id = r.id AND status <> 'skipped' AND person_id = ANY (%(people)s::bigint[]))
    UNION ALL
    (SELECT person_id, text FROM messages
     WHERE month = r.month AND run_id = r.id AND status <> 'skipped'
     ORDER BY person_id LIMIT %(most)s::int)
) AS m
