-- Whom each row of a list for one campaign means, by one rule for the dry run and, under locks, for the taking. Nobody in
-- the register is changed. Rows that could not be read are refused; each of the others means
-- - the person with its number;
-- - else whom a person has said it means;
-- - else the one within the scope who has the same name and phone, or the same phone where it gives no name; or, within
--   the unit it names, the same name and birthday, or the same name where it gives neither phone nor birthday;
-- - else, if several may be meant, or some who agree in less, nobody yet: a person has to say who;
-- - else nobody in the register: a guest, where who brings the list may text guests.
-- Who has left is not found, and a guest is one who has left. Of several rows that mean one person the first is taken.
INSERT INTO import_outcomes (import_id, row, outcome, why, person_id, twin, candidates)
WITH good AS MATERIALIZED (
    SELECT r.row, r.number, nullif(r.name, '') AS name, r.phone, r.born_on, named.path AS unit_path
    FROM import_rows r
    LEFT JOIN units named ON named.id = r.unit_id
    WHERE r.import_id = %(import_id)s AND NOT r.is_refused
), numbered AS MATERIALIZED (
    SELECT g.row, p.id, CASE WHEN NOT u.path ^@ %(scope)s::text THEN 'outside'
                             WHEN p.left_at IS NOT NULL THEN 'left'
                             WHEN p.name <> g.name THEN 'other_name' END AS why
    FROM good g
    JOIN people p ON p.number = g.number
    JOIN units u ON u.id = p.unit_id
), open AS MATERIALIZED (
    SELECT g.* FROM good g WHERE NOT EXISTS (SELECT FROM numbered n WHERE n.row = g.row)
), perhaps AS MATERIALIZED (
    SELECT o.row, p.id FROM open o JOIN people p ON p.name = o.name WHERE p.left_at IS NULL AND (o.number IS NULL OR p.number IS NULL)
    UNION
    SELECT o.row, p.id FROM open o JOIN people p ON p.phone = o.phone WHERE p.left_at IS NULL AND (o.number IS NULL OR p.number IS NULL)
), alike AS MATERIALIZED (
    SELECT o.row, p.id, o.name IS NULL AS nameless, o.name = p.name AS same_name,
           coalesce(o.phone = p.phone, false) AS same_phone,
           held.born_on = o.born_on OR left(held.born_on, 8) = left(o.born_on, 8) AND '01' IN (right(held.born_on, 2), right(o.born_on, 2))
               AS same_birthday,
           o.phone IS NULL AND o.born_on IS NULL AS says_no_more,
           o.unit_path IS NULL OR u.path ^@ o.unit_path AS fits, o.unit_path IS NOT NULL AS names_unit
    FROM perhaps x
    JOIN open o ON o.row = x.row
    JOIN people p ON p.id = x.id
    JOIN units u ON u.id = p.unit_id
    CROSS JOIN LATERAL (SELECT substring(p.attributes ->> 'born_on', '^\d{4}-\d\d-\d\d$') AS born_on) AS held
    WHERE u.path ^@ %(scope)s::text
), weighed AS MATERIALIZED (
    SELECT row, id,
           CASE WHEN NOT fits THEN false
                WHEN nameless THEN same_phone
                WHEN NOT same_name THEN false
                ELSE coalesce(same_phone AND same_birthday IS NOT FALSE OR names_unit AND (same_birthday OR says_no_more), false)
           END AS is_sure
    FROM alike
    WHERE same_phone OR (same_name AND fits AND same_birthday IS NOT FALSE)
), meant AS MATERIALIZED (
    SELECT id FROM numbered UNION SELECT id FROM weighed WHERE is_sure
), chosen AS MATERIALIZED (
    SELECT w.row,
           array_agg(w.id ORDER BY w.id) FILTER (WHERE w.is_sure) AS sure,
           array_agg(w.id ORDER BY w.id) FILTER (WHERE NOT w.is_sure AND m.id IS NULL) AS unsure
    FROM weighed w
    LEFT JOIN meant m ON m.id = w.id
    GROUP BY w.row
), matched AS MATERIALIZED (
    SELECT g.row, g.name, g.phone,
           CASE WHEN n.row IS NOT NULL THEN n.id
                WHEN a.row IS NOT NULL THEN a.person_id
                WHEN cardinality(c.sure) = 1 THEN c.sure[1] END AS person_id,
           CASE WHEN n.row IS NULL AND a.row IS NULL AND cardinality(c.sure) IS DISTINCT FROM 1
                THEN coalesce(c.sure, c.unsure) END AS candidates,
           n.why
    FROM good g
    LEFT JOIN numbered n ON n.row = g.row
    LEFT JOIN import_answers a ON a.import_id = %(import_id)s AND a.row = g.row
    LEFT JOIN chosen c ON c.row = g.row
), judged AS MATERIALIZED (
    SELECT row, name, phone, person_id,
           CASE WHEN cardinality(candidates) <= %(most_candidates)s THEN candidates END AS candidates,
           CASE WHEN why IS NOT NULL THEN why
                WHEN cardinality(candidates) > %(most_candidates)s THEN 'many'
                WHEN candidates IS NOT NULL THEN 'asked'
                WHEN person_id IS NOT NULL THEN NULL
                WHEN NOT %(may_bring_guests)s::boolean THEN 'nobody'
                WHEN name IS NULL OR phone IS NULL THEN 'half_guest' END AS why
    FROM matched
), firsts AS MATERIALIZED (
    SELECT row, min(row) OVER (PARTITION BY person_id, CASE WHEN person_id IS NULL THEN name END,
                                            CASE WHEN person_id IS NULL THEN phone END) AS first
    FROM judged
    WHERE why IS NULL
), told AS (
    SELECT j.row, j.person_id, j.candidates, nullif(f.first, j.row) AS twin,
           CASE WHEN f.first <> j.row THEN 'twice' ELSE j.why END AS why
    FROM judged j
    LEFT JOIN firsts f ON f.row = j.row
)
SELECT %(import_id)s, row,
       CASE WHEN why IS NOT NULL THEN 'refused' WHEN person_id IS NULL THEN 'created' ELSE 'unchanged' END,
       why, person_id, twin, candidates
FROM told
UNION ALL
SELECT import_id, row, 'refused', NULL, NULL, NULL, NULL
FROM import_rows
WHERE import_id = %(import_id)s AND is_refused
