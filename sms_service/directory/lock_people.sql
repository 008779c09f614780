-- Locks the people whom an import is about, in the order of their ids, so that nobody changes or moves between the
-- decision and the change, and two imports never wait for each other.
SELECT count(*) FROM (
    SELECT p.id FROM people p
    JOIN import_outcomes o ON o.person_id = p.id
    WHERE o.import_id = %(import_id)s
    ORDER BY p.id
    FOR UPDATE OF p
) AS locked
