-- How many parts a text of each run has on average, beginning with 1 before anything is known.
UPDATE runs r
SET parts_estimate = e.parts
FROM unnest(%(ids)s::bigint[], %(estimates)s::float[]) AS e (id, parts)
WHERE r.id = e.id
