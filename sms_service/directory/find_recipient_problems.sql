-- Says of each row of a list why it is refused, which rows and people share a phone, and where the register has another
-- phone than the row: the text goes to the register's.
INSERT INTO import_problems (import_id, row, "column", value, message, values, refused)
WITH told AS MATERIALIZED (
    SELECT o.row, o.outcome, o.why, o.twin, o.candidates, r.number, nullif(r.name, '') AS name, r.phone, p.name AS held_name,
           p.id AS person_id, p.phone AS held_phone
    FROM import_outcomes o
    JOIN import_rows r ON r.import_id = o.import_id AND r.row = o.row
    LEFT JOIN people p ON p.id = o.person_id
    WHERE o.import_id = %(import_id)s
), phones AS MATERIALIZED (
    SELECT row, to_phone, min(row) OVER (PARTITION BY to_phone) AS first
    FROM (SELECT row, CASE WHEN person_id IS NULL THEN phone ELSE held_phone END AS to_phone FROM told WHERE outcome <> 'refused') AS texted
    WHERE to_phone IS NOT NULL
), found (row, "column", value, said, refused) AS (
    SELECT row, %(number_column)s::text, number, jsonb_build_object('message',
        'belongs to a person outside the scope of this list', 'values', '{}'::jsonb), true
    FROM told WHERE why = 'outside'
    UNION ALL
    SELECT row, %(number_column)s, number, jsonb_build_object('message',
        'belongs to a person marked as having left, who gets no texts', 'values', '{}'::jsonb), true
    FROM told WHERE why = 'left'
    UNION ALL
    SELECT row, %(name_column)s, name, jsonb_build_object('message',
        'differs from the name of the person with the number {number}, {name}',
        'values', jsonb_build_object('number', number, 'name', held_name)), true
    FROM told WHERE why = 'other_name'
    UNION ALL
    SELECT row, %(name_column)s, coalesce(name, phone), jsonb_build_object('message',
        'may be {number} people of the register: say which one, or that it is somebody else',
        'values', jsonb_build_object('number', cardinality(candidates))), true
    FROM told WHERE why = 'asked'
    UNION ALL
    SELECT row, %(name_column)s, coalesce(name, phone), jsonb_build_object('message',
        'fits more than {most} people of the register', 'values', jsonb_build_object('most', %(most_candidates)s::int)), true
    FROM told WHERE why = 'many'
    UNION ALL
    SELECT row, %(name_column)s, coalesce(name, number, phone), jsonb_build_object('message',
        'is nobody of the register within this scope, and you may not text people outside the register',
        'values', '{}'::jsonb), true
    FROM told WHERE why = 'nobody'
    UNION ALL
    SELECT row, %(phone_column)s, coalesce(phone, name, number), jsonb_build_object('message',
        'is nobody of the register, and nobody else can be texted without both name and mobile number',
        'values', '{}'::jsonb), true
    FROM told WHERE why = 'half_guest'
    UNION ALL
    SELECT row, %(name_column)s, coalesce(name, number, phone), jsonb_build_object('message',
        'is the person of row {row}, which was taken: each person gets one text', 'values', jsonb_build_object('row', twin)), true
    FROM told WHERE why = 'twice'
    UNION ALL
    SELECT row, %(name_column)s, name, jsonb_build_object('message',
        'is nobody of the register; taken as a guest, who is forgotten with the list', 'values', '{}'::jsonb), false
    FROM told WHERE outcome = 'created'
    UNION ALL
    SELECT row, %(phone_column)s, phone, jsonb_build_object('message',
        'differs from the number in the register, to which the text goes', 'values', '{}'::jsonb), false
    FROM told WHERE outcome = 'unchanged' AND phone <> held_phone
    UNION ALL
    SELECT row, %(phone_column)s, phone, jsonb_build_object('message',
        'the register has no number for this person: no text can reach them', 'values', '{}'::jsonb), false
    FROM told WHERE outcome = 'unchanged' AND held_phone IS NULL
    UNION ALL
    SELECT f.row, %(phone_column)s, f.to_phone, jsonb_build_object('message',
        'row {row} has the same phone, which gets one text a campaign', 'values', jsonb_build_object('row', f.first)), false
    FROM phones f WHERE f.row > f.first
)
SELECT %(import_id)s, row, "column", value, said ->> 'message', said -> 'values', refused FROM found ORDER BY row
