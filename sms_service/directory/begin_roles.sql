-- The roles that an import's people get in their units.
INSERT INTO contacts (person_id, unit_id, role)
SELECT o.person_id, r.unit_id, role
FROM import_outcomes o
JOIN import_rows r ON r.import_id = o.import_id AND r.row = o.row
CROSS JOIN unnest(r.roles) AS role
WHERE o.import_id = %(import_id)s AND o.outcome IN ('created', 'changed', 'moved')
ORDER BY o.row
ON CONFLICT (unit_id, person_id, role) DO NOTHING
