-- The people that a file's numbers name, with their present place. They are locked, so that nobody moves between the
-- check of the actor's scope and the change, and in the order of their numbers, so that two imports never wait for
-- each other.
SELECT p.id, p.number, p.unit_id, u.path, p.left_at
FROM people p
JOIN units u ON u.id = p.unit_id
WHERE p.number = ANY(%(numbers)s::text[])
ORDER BY p.number
FOR UPDATE OF p
