-- What each row of a people file would do, by one rule for the dry run and, under locks, for the apply. Rows that could
-- not be read are refused; each of the others means
-- - the person with its number;
-- - else whom a person has said it means;
-- - else the one in its unit who has the same name, and the same phone or birthday (or neither, as the row has neither);
-- - else, if there are several, or some who have only the name, nobody yet: a person has to say who;
-- - else somebody new.
-- A row whose number nobody has may mean people without a number only. The first of a month may
-- stand for a birthday that is known to the month, and agrees with any of its days. `twin` is the first row that means the same person.
INSERT INTO import_outcomes (import_id, row, outcome, why, person_id, twin, candidates)
WITH good AS MATERIALIZED (
    SELECT row, digest, number, name, unit_id, kind, phone, phone_problem, born_on, roles, tags, attributes
    FROM import_rows
    WHERE import_id = %(import_id)s AND NOT is_refused
), numbered AS MATERIALIZED (
    SELECT g.row, p.id FROM good g JOIN people p ON p.number = g.number
), unnumbered AS MATERIALIZED (
    SELECT g.row, g.number, g.name, g.unit_id, g.phone, g.born_on
    FROM good g
    WHERE NOT EXISTS (SELECT FROM numbered n WHERE n.row = g.row)
), namesakes AS MATERIALIZED (
    SELECT u.row, p.id, u.phone, u.born_on, p.phone AS held_phone, substring(p.attributes ->> 'born_on', '^\d{4}-\d\d-\d\d$') AS held_born_on
    FROM unnumbered u
    JOIN people p ON p.unit_id = u.unit_id AND p.name = u.name AND (u.number IS NULL OR p.number IS NULL)
    WHERE p.kind <> 'guest'
), alike AS MATERIALIZED (
    SELECT row, id,
           held_phone = phone AS same_phone,
           held_born_on = born_on OR left(held_born_on, 8) = left(born_on, 8) AND '01' IN (right(held_born_on, 2), right(born_on, 2))
               AS same_birthday,
           num_nonnulls(phone, born_on, held_phone, held_born_on) = 0 AS neither
    FROM namesakes
), weighed AS MATERIALIZED (
    SELECT row, id, coalesce(same_phone AND same_birthday IS NOT FALSE OR same_birthday OR neither, false) AS is_sure
    FROM alike
    WHERE coalesce(same_phone, false) OR same_birthday IS NOT FALSE
    UNION ALL
    SELECT u.row, p.id, false
    FROM unnumbered u
    JOIN people p ON p.phone = u.phone AND p.name = u.name AND p.unit_id <> u.unit_id
    JOIN units place ON place.id = p.unit_id
    WHERE u.number IS NULL AND place.path ^@ %(scope)s::text AND p.kind <> 'guest'
), meant AS MATERIALIZED (
    SELECT id FROM numbered UNION SELECT id FROM weighed WHERE is_sure
), chosen AS MATERIALIZED (
    SELECT w.row,
           array_agg(w.id ORDER BY w.id) FILTER (WHERE w.is_sure) AS sure,
           array_agg(w.id ORDER BY w.id) FILTER (WHERE NOT w.is_sure AND m.id IS NULL) AS perhaps
    FROM weighed w
    LEFT JOIN meant m ON m.id = w.id
    GROUP BY w.row
), matched AS MATERIALIZED (
    SELECT g.*,
           CASE WHEN n.row IS NOT NULL THEN n.id
                WHEN a.row IS NOT NULL THEN a.person_id
                WHEN cardinality(c.sure) = 1 THEN c.sure[1] END AS person_id,
           CASE WHEN n.row IS NULL AND a.row IS NULL AND cardinality(c.sure) IS DISTINCT FROM 1
                THEN coalesce(c.sure, c.perhaps) END AS candidates
    FROM good g
    LEFT JOIN numbered n ON n.row = g.row
    LEFT JOIN import_answers a ON a.import_id = %(import_id)s AND a.row = g.row
    LEFT JOIN chosen c ON c.row = g.row
), firsts AS MATERIALIZED (
    SELECT m.*, least(
        CASE WHEN number IS NOT NULL THEN min(row) OVER (PARTITION BY number) END,
        CASE WHEN person_id IS NOT NULL THEN min(row) OVER (PARTITION BY person_id) END,
        CASE WHEN number IS NULL AND person_id IS NULL AND candidates IS NULL
             THEN min(row) OVER (PARTITION BY number, person_id, candidates, unit_id, name, phone, born_on) END
    ) AS first
    FROM matched m
), held AS MATERIALIZED (
    SELECT person_id, unit_id, array_agg(role ORDER BY role COLLATE "C") AS roles
    FROM contacts
    WHERE %(has_roles)s::boolean
    GROUP BY person_id, unit_id
), compared AS MATERIALIZED (
    SELECT f.row, f.person_id, f.candidates, nullif(f.first, f.row) AS twin, f.digest, p.left_at, place.path,
           CASE WHEN p.id IS NULL THEN 'created'
                WHEN p.unit_id <> f.unit_id THEN 'moved'
                WHEN p.name <> f.name
                  -- an unusable phone leaves a usable one as it is
                  OR ((p.phone, p.phone_problem) IS DISTINCT FROM (f.phone, f.phone_problem)
                      AND (p.phone IS NULL OR f.phone_problem IS NULL))
                  OR (f.number IS NOT NULL AND p.number IS DISTINCT FROM f.number)
                  OR (%(has_kind)s::boolean AND p.kind <> f.kind)
                  OR (%(has_tags)s::boolean AND p.tags <> f.tags)
                  OR (%(has_roles)s::boolean AND coalesce(h.roles, '{}') <> f.roles)
                  OR p.attributes <> said_attributes(p.attributes, f.attributes, %(attribute_names)s::text[])
                THEN 'changed'
                ELSE 'unchanged' END AS outcome
    FROM firsts f
    LEFT JOIN people p ON p.id = f.person_id
    LEFT JOIN units place ON place.id = p.unit_id
    LEFT JOIN held h ON h.person_id = f.person_id AND h.unit_id = f.unit_id
), judged AS MATERIALIZED (
    SELECT c.row, c.person_id, c.candidates, c.twin, c.outcome,
           CASE WHEN c.candidates IS NOT NULL THEN 'asked'
                WHEN NOT c.path ^@ %(scope)s::text THEN 'outside'
                WHEN t.digest <> c.digest THEN 'contradicts'
                WHEN c.twin IS NOT NULL THEN 'repeats'
                WHEN c.left_at IS NOT NULL THEN 'left' END AS why
    FROM compared c
    LEFT JOIN compared t ON t.row = c.twin
)
SELECT %(import_id)s, j.row,
       CASE WHEN j.why IN ('asked', 'outside', 'contradicts') OR t.why IN ('asked', 'outside', 'contradicts') THEN 'refused'
            WHEN j.why = 'repeats' THEN 'unchanged'
            ELSE j.outcome END,
       CASE WHEN j.why = 'repeats' AND t.why IN ('asked', 'outside', 'contradicts') THEN 'repeats_refused' ELSE j.why END,
       j.person_id, j.twin, j.candidates
FROM judged j
LEFT JOIN judged t ON t.row = j.twin
UNION ALL
SELECT import_id, row, 'refused', NULL, NULL, NULL, NULL
FROM import_rows
WHERE import_id = %(import_id)s AND is_refused
