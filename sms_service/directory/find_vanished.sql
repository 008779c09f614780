-- Keeps whom of a unit's members no row means of a file that is said to be complete for it, and counts: members =
-- present + unclear + vanished. Whom a refused row may mean is unclear and is not kept: as who it is about, as one of those who
-- are asked about, or by a name, number or phone that stands in it. Each word is compared once, since a name that is
-- refused a thousand times may be that of a thousand members.
WITH members AS MATERIALIZED (
    SELECT p.id, p.name, p.number, p.phone, p.updated_at
    FROM people p
    JOIN units u ON u.id = p.unit_id
    WHERE u.path ^@ %(path)s::text AND p.kind = 'member' AND p.left_at IS NULL
), missing AS MATERIALIZED (
    SELECT m.*
    FROM members m
    WHERE NOT EXISTS (
        SELECT FROM import_outcomes o WHERE o.import_id = %(import_id)s AND o.outcome <> 'refused' AND o.person_id = m.id
    )
), refused AS MATERIALIZED (
    SELECT o.row, o.person_id, o.candidates, r.words || ARRAY[r.name, r.number, r.phone] AS words
    FROM import_outcomes o
    JOIN import_rows r ON r.import_id = o.import_id AND r.row = o.row
    WHERE o.import_id = %(import_id)s AND o.outcome = 'refused'
), about AS MATERIALIZED (
    SELECT row, person_id AS id FROM refused WHERE person_id IS NOT NULL
    UNION
    SELECT row, unnest(candidates) FROM refused
), said AS MATERIALIZED (
    SELECT DISTINCT row, word FROM refused, unnest(words) AS word WHERE word IS NOT NULL
), known AS MATERIALIZED (
    SELECT id, name AS word FROM missing
    UNION ALL
    SELECT id, number FROM missing WHERE number IS NOT NULL
    UNION ALL
    SELECT id, phone FROM missing WHERE phone IS NOT NULL
), unclear AS MATERIALIZED (
    SELECT id FROM known JOIN (SELECT DISTINCT word FROM said) AS words USING (word)
    UNION
    SELECT id FROM missing JOIN about USING (id)
), kept AS (
    INSERT INTO import_vanished (import_id, person_id, seen_at)
    SELECT %(import_id)s, id, updated_at
    FROM missing m
    WHERE NOT EXISTS (SELECT FROM unclear u WHERE u.id = m.id)
    RETURNING person_id
)
SELECT (SELECT count(*) FROM members) AS members,
       (SELECT count(*) FROM members) - (SELECT count(*) FROM missing) AS present,
       (SELECT count(*) FROM unclear) AS unclear,
       (SELECT count(DISTINCT row) FROM (
            SELECT row FROM about JOIN unclear USING (id)
            UNION ALL
            SELECT row FROM said JOIN (SELECT DISTINCT word FROM known) AS words USING (word)
        ) AS perhaps) AS unclear_rows,
       (SELECT count(*) FROM kept) AS vanished
