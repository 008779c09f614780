-- Gives each row that creates somebody the id of that person, so that the row's roles find them; in the order of the
-- rows. Materialized, so that each id is taken from the sequence once, however the rows are joined.
WITH created AS MATERIALIZED (
    SELECT row FROM import_outcomes WHERE import_id = %(import_id)s AND outcome = 'created' ORDER BY row
), given AS MATERIALIZED (
    SELECT row, nextval(pg_get_serial_sequence('people', 'id')) AS id FROM created
)
UPDATE import_outcomes o
SET person_id = given.id
FROM given
WHERE o.import_id = %(import_id)s AND o.row = given.row
