-- The rows of a list, of the checked rows of its file that are taken.
INSERT INTO recipient_rows (list_id, person_id, row, values)
SELECT %(list_id)s, o.person_id, r.row, r.attributes
FROM import_rows r
JOIN import_outcomes o ON o.import_id = r.import_id AND o.row = r.row
WHERE r.import_id = %(import_id)s AND o.outcome <> 'refused'
ORDER BY r.row
