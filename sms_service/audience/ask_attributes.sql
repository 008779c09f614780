-- Of the attributes that a rule names: how many people within the unit have each, of how many it is no number or no date
-- and an example of each, and which of the texts that the rule asks for somebody has. People are read once.
SELECT a.name, count(*) AS people,
       count(*) FILTER (WHERE x.value !~ %(number)s::text) AS no_number,
       min(x.value) FILTER (WHERE x.value !~ %(number)s::text) AS not_a_number,
       count(*) FILTER (WHERE x.value !~ %(date)s::text) AS no_date,
       min(x.value) FILTER (WHERE x.value !~ %(date)s::text) AS not_a_date,
       array_agg(DISTINCT x.value) FILTER (WHERE x.value = ANY (%(values)s::text[])) AS found
FROM people p
JOIN units u ON u.id = p.unit_id
CROSS JOIN unnest(%(names)s::text[]) AS a (name)
CROSS JOIN LATERAL (SELECT p.attributes ->> a.name AS value) AS x
WHERE p.left_at IS NULL AND u.path ^@ %(path)s::text AND x.value IS NOT NULL
GROUP BY a.name
