-- Gives the file's people, in their own units, the roles that the file says, and ends the roles in a unit that
-- somebody has just left (left_people, left_units: pairs). Roles in other units are not changed. Returns each person
-- whose roles changed.
WITH people_in_file AS (
    SELECT id, number, unit_id FROM people WHERE number = ANY(%(numbers)s::text[])
), wanted AS (
    SELECT f.id AS person_id, f.unit_id, role
    FROM unnest(%(role_numbers)s::text[], %(roles)s::text[]) AS row (number, role)
    JOIN people_in_file f USING (number)
), scope AS (
    SELECT id AS person_id, unit_id FROM people_in_file
    UNION ALL
    SELECT person_id, unit_id FROM unnest(%(left_people)s::bigint[], %(left_units)s::bigint[]) AS row (person_id, unit_id)
), ended AS (
    DELETE FROM contacts c USING scope s
    WHERE c.person_id = s.person_id AND c.unit_id = s.unit_id
      AND NOT EXISTS (SELECT FROM wanted w WHERE (w.person_id, w.unit_id, w.role) = (c.person_id, c.unit_id, c.role))
    RETURNING c.person_id
), begun AS (
    INSERT INTO contacts (person_id, unit_id, role)
    SELECT person_id, unit_id, role FROM wanted
    ON CONFLICT (unit_id, person_id, role) DO NOTHING
    RETURNING person_id
)
SELECT person_id FROM ended UNION SELECT person_id FROM begun
