-- The people whom an import creates, with the ids that their rows were given before.
INSERT INTO people (id, number, unit_id, name, kind, phone, phone_problem, phone_problem_message, tags, attributes)
SELECT o.person_id, r.number, r.unit_id, r.name, coalesce(r.kind, 'member'), r.phone, r.phone_problem, r.phone_problem_message,
       coalesce(r.tags, '{}'), r.attributes
FROM import_rows r
JOIN import_outcomes o ON o.import_id = r.import_id AND o.row = r.row
WHERE r.import_id = %(import_id)s AND o.outcome = 'created'
ORDER BY r.row
