-- Where the file has roles: ends those in the person's unit that it does not name any more, and those in a unit that
-- somebody leaves by the import. Roles in other units are not changed. Run it before the people are moved.
DELETE FROM contacts c
USING import_outcomes o
JOIN import_rows r ON r.import_id = o.import_id AND r.row = o.row
JOIN people p ON p.id = o.person_id
WHERE o.import_id = %(import_id)s AND o.outcome IN ('changed', 'moved') AND c.person_id = o.person_id
  AND r.roles IS NOT NULL
  AND (c.unit_id = r.unit_id AND NOT c.role = ANY (r.roles) OR c.unit_id = p.unit_id AND c.unit_id <> r.unit_id)
