-- How many parts a text of each run has on average; 1 is where each starts.
UPDATE runs r
SET parts_estimate = e.parts
FROM unnest(%(ids)s::bigint[], %(estimates)s::float[]) AS e (id, parts)
WHERE r.id = e.id
