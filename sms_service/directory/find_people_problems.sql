-- Says of each row why it was decided so, and which rows and people share a phone: within the file every row but the first,
-- with the register's people only within the scope, since others must not be named here.
INSERT INTO import_problems (import_id, row, "column", value, message, values, refused)
WITH told AS (
    SELECT o.row, o.why, o.twin, o.candidates, r.number, r.name
    FROM import_outcomes o
    JOIN import_rows r ON r.import_id = o.import_id AND r.row = o.row
    WHERE o.import_id = %(import_id)s AND o.why IS NOT NULL
), phones AS MATERIALIZED (
    SELECT r.row, r.phone, o.person_id, min(r.row) OVER (PARTITION BY r.phone) AS first
    FROM import_rows r
    JOIN import_outcomes o ON o.import_id = r.import_id AND o.row = r.row
    WHERE r.import_id = %(import_id)s AND r.phone IS NOT NULL AND o.outcome <> 'refused' AND o.why IS DISTINCT FROM 'repeats'
), meant AS MATERIALIZED (
    SELECT DISTINCT person_id FROM import_outcomes WHERE import_id = %(import_id)s AND person_id IS NOT NULL
), others AS MATERIALIZED (
    SELECT f.row, f.phone, min(p.id) AS person_id
    FROM phones f
    JOIN people p ON p.phone = f.phone AND p.id IS DISTINCT FROM f.person_id
    LEFT JOIN meant m ON m.person_id = p.id
    JOIN units u ON u.id = p.unit_id
    WHERE f.row = f.first AND m.person_id IS NULL AND p.left_at IS NULL AND u.path ^@ %(scope)s::text
    GROUP BY f.row, f.phone
), found (row, "column", value, said, refused) AS (
    SELECT row, %(number_column)s::text, number, jsonb_build_object('message',
        'belongs to a person outside the scope of this import', 'values', '{}'::jsonb), true
    FROM told WHERE why = 'outside'
    UNION ALL
    SELECT row, %(number_column)s, number, jsonb_build_object('message',
        'belongs to a person marked as having left, who stays so', 'values', '{}'::jsonb), false
    FROM told WHERE why = 'left'
    UNION ALL
    SELECT row, %(number_column)s, number, jsonb_build_object('message',
        'row {row} has the same number with other content; that one was taken', 'values', jsonb_build_object('row', twin)), true
    FROM told WHERE why = 'contradicts' AND number IS NOT NULL
    UNION ALL
    SELECT row, %(name_column)s, name, jsonb_build_object('message',
        'row {row} means the same person with other content; that one was taken', 'values', jsonb_build_object('row', twin)), true
    FROM told WHERE why = 'contradicts' AND number IS NULL
    UNION ALL
    SELECT row, CASE WHEN number IS NULL THEN %(name_column)s ELSE %(number_column)s END, coalesce(number, name),
        jsonb_build_object('message', 'repeats row {row}', 'values', jsonb_build_object('row', twin)), false
    FROM told WHERE why IN ('repeats', 'repeats_refused')
    UNION ALL
    SELECT row, '', NULL, jsonb_build_object('message',
        'repeats row {row}, which was refused', 'values', jsonb_build_object('row', twin)), true
    FROM told WHERE why = 'repeats_refused'
    UNION ALL
    SELECT row, %(name_column)s, name, jsonb_build_object('message',
        'may be {number} people who are here already: say which one, or that it is somebody new',
        'values', jsonb_build_object('number', cardinality(candidates))), true
    FROM told WHERE why = 'asked'
    UNION ALL
    SELECT row, %(phone_column)s, phone, jsonb_build_object('message',
        'row {row} has the same phone, which gets one text a campaign', 'values', jsonb_build_object('row', first)), false
    FROM phones WHERE row > first
    UNION ALL
    SELECT o.row, %(phone_column)s, o.phone, jsonb_build_object('message',
        '{name} in {unit} has the same phone, which gets one text a campaign',
        'values', jsonb_build_object('name', p.name, 'unit', u.name)), false
    FROM others o
    JOIN people p ON p.id = o.person_id
    JOIN units u ON u.id = p.unit_id
)
SELECT %(import_id)s, row, "column", value, said ->> 'message', said -> 'values', refused FROM found ORDER BY row
