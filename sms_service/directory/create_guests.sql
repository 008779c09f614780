-- The guests of a list, with the ids that their rows were given before. They belong to the list's unit, and have left
-- from the beginning, so that no rule, list or count of the register finds them.
INSERT INTO people (id, unit_id, name, kind, phone, left_at)
SELECT o.person_id, %(unit_id)s, r.name, 'guest', r.phone, now()
FROM import_rows r
JOIN import_outcomes o ON o.import_id = r.import_id AND o.row = r.row
WHERE r.import_id = %(import_id)s AND o.outcome = 'created'
ORDER BY r.row
