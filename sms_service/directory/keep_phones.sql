-- Where the phone of a row is unusable and the person has a usable one, the note says that theirs is kept. It replaces
-- the note of the reading, which says that no text can reach the person.
UPDATE import_problems f SET
    reason = NULL,
    message = said.value ->> 'message',
    values = said.value -> 'values'
FROM import_rows r
JOIN import_outcomes o ON o.import_id = r.import_id AND o.row = r.row
JOIN people p ON p.id = o.person_id
CROSS JOIN LATERAL (
    SELECT jsonb_build_object('message',
        'the phone of the file is not usable ({reason}); the phone on record is kept',
        'values', jsonb_build_object('reason', r.phone_problem_message)) AS value
) said
WHERE r.import_id = %(import_id)s AND f.import_id = r.import_id AND f.row = r.row AND f."column" = %(phone_column)s
  AND f.message = r.phone_problem_message ->> 'message' AND p.phone IS NOT NULL AND o.outcome <> 'refused'
