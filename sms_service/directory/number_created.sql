-- Gives each row that creates somebody the id of that person, so that the row's roles find them.
UPDATE import_outcomes
SET person_id = nextval(pg_get_serial_sequence('people', 'id'))
WHERE import_id = %(import_id)s AND outcome = 'created'
