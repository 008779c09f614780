-- Of the attributes that a rule names: how many people within the unit have each, of how many it is no number or no date
-- and an example of each, and which of the texts that the rule asks for somebody has. People are read once, and each text
-- is compared once (OFFSET 0 keeps the planner from doing it once a column); a pattern that is NULL is not asked for.
SELECT a.name, count(*) AS people,
       count(x.not_a_number) AS no_number, min(x.not_a_number COLLATE "C") AS not_a_number,
       count(x.not_a_date) AS no_date, min(x.not_a_date COLLATE "C") AS not_a_date,
       array_agg(DISTINCT x.value COLLATE "C") FILTER (WHERE x.value = ANY (%(values)s::text[])) AS found
FROM people p
JOIN units u ON u.id = p.unit_id
CROSS JOIN unnest(%(names)s::text[]) AS a (name)
CROSS JOIN LATERAL (
    SELECT v.value,
           CASE WHEN v.value !~ %(number)s::text THEN v.value END AS not_a_number,
           CASE WHEN v.value !~ %(date)s::text THEN v.value END AS not_a_date
    FROM (SELECT p.attributes ->> a.name AS value) AS v
    OFFSET 0
) AS x
WHERE p.left_at IS NULL AND u.path ^@ %(path)s::text AND x.value IS NOT NULL
GROUP BY a.name
