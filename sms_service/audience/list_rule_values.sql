-- What a rule within a unit may ask for, with how many people each choice has: the units right below it, the tags, the
-- roles that are held, the attributes and the values of those that have few. People are read once, in one snapshot, so
-- that the counts of one page belong together.
WITH here AS MATERIALIZED (
    SELECT p.id, p.kind, p.tags, p.attributes, p.suspect_since IS NOT NULL AS suspect,
           u.level, split_part(substr(u.path, length(%(path)s::text) + 1), '/', 1) AS child
    FROM people p JOIN units u ON u.id = p.unit_id
    WHERE p.left_at IS NULL AND u.path ^@ %(path)s::text
),
children AS (
    SELECT child, count(*) AS people FROM here GROUP BY child
),
attributes AS (
    SELECT a.key, a.value, count(*) AS people
    FROM here CROSS JOIN LATERAL jsonb_each_text(here.attributes) AS a
    WHERE a.value IS NOT NULL
    GROUP BY a.key, a.value
),
names AS (
    SELECT key, sum(people)::bigint AS people, count(*) AS values,
           coalesce(sum(people) FILTER (WHERE value ~ %(number)s::text), 0)::bigint AS numbers,
           coalesce(sum(people) FILTER (WHERE value ~ %(date)s::text), 0)::bigint AS dates
    FROM attributes
    GROUP BY key ORDER BY 2 DESC, key LIMIT %(most)s::int
)
(SELECT 'unit' AS kind, u.id, u.name, NULL AS value, coalesce(c.people, 0) AS people, false AS many,
        0::bigint AS numbers, 0::bigint AS dates
 FROM units u LEFT JOIN children c ON c.child = u.id::text
 WHERE u.parent_id = %(unit_id)s::bigint
 ORDER BY u.name, u.id LIMIT %(most_units)s::int)
UNION ALL
(SELECT 'role', NULL, c.role, NULL, count(DISTINCT c.person_id), false, 0, 0
 FROM contacts c JOIN units u ON u.id = c.unit_id JOIN people p ON p.id = c.person_id
 WHERE p.left_at IS NULL AND u.path ^@ %(path)s::text
 GROUP BY c.role ORDER BY 5 DESC, c.role LIMIT %(most)s::int)
UNION ALL
(SELECT 'tag', NULL, t.tag, NULL, count(*), false, 0, 0
 FROM here CROSS JOIN LATERAL unnest(here.tags) AS t (tag)
 GROUP BY t.tag ORDER BY 5 DESC, t.tag LIMIT %(most)s::int)
UNION ALL
(SELECT 'kind', NULL, kind, NULL, count(*), false, 0, 0 FROM here GROUP BY kind)
UNION ALL
(SELECT 'level', NULL, level, NULL, count(*), false, 0, 0 FROM here GROUP BY level)
UNION ALL
(SELECT 'suspect', NULL, 'suspect', NULL, count(*), false, 0, 0 FROM here WHERE suspect HAVING count(*) > 0)
UNION ALL
(SELECT 'attribute', NULL, key, NULL, people, values > %(most_values)s::int, numbers, dates FROM names)
UNION ALL
(SELECT 'value', NULL, a.key, a.value, a.people, false, 0, 0
 FROM attributes a JOIN names n ON n.key = a.key
 WHERE n.values <= %(most_values)s::int
 ORDER BY a.key, a.people DESC, a.value)
