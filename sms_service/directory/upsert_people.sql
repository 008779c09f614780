-- Writes all rows of a file at once. A person whose row says nothing new is not written (the WHERE at the end), so it
-- returns only created and changed people. Columns that the file does not have (kind, tags) are not changed; only
-- attributes with a column in the file are replaced. Tags and attributes are passed as JSON, because PostgreSQL has no
-- array of arrays of different lengths. A phone's problem is its sentence: if only the message beside the same
-- sentence is missing, the row says nothing new.
WITH incoming AS (
    SELECT number, unit_id, name, kind, phone, phone_problem, phone_problem_message::jsonb AS phone_problem_message,
           attributes::jsonb AS attributes,
           ARRAY(SELECT jsonb_array_elements_text(tags::jsonb)) AS tags
    FROM unnest(%(numbers)s::text[], %(unit_ids)s::bigint[], %(names)s::text[], %(kinds)s::text[], %(phones)s::text[],
                %(phone_problems)s::text[], %(phone_problem_messages)s::text[], %(tags)s::text[], %(attributes)s::text[])
         AS row (number, unit_id, name, kind, phone, phone_problem, phone_problem_message, tags, attributes)
)
INSERT INTO people AS p (number, unit_id, name, kind, phone, phone_problem, phone_problem_message, tags, attributes)
SELECT number, unit_id, name, kind, phone, phone_problem, phone_problem_message, tags, attributes FROM incoming ORDER BY number
ON CONFLICT (number) DO UPDATE SET
    unit_id = excluded.unit_id,
    name = excluded.name,
    kind = CASE WHEN %(has_kind)s::boolean THEN excluded.kind ELSE p.kind END,
    phone = excluded.phone,
    phone_problem = excluded.phone_problem,
    phone_problem_message = excluded.phone_problem_message,
    tags = CASE WHEN %(has_tags)s::boolean THEN excluded.tags ELSE p.tags END,
    attributes = (p.attributes - %(attribute_names)s::text[]) || excluded.attributes,
    updated_at = now()
WHERE (p.unit_id, p.name, p.phone, p.phone_problem)
        IS DISTINCT FROM (excluded.unit_id, excluded.name, excluded.phone, excluded.phone_problem)
   OR (%(has_kind)s::boolean AND p.kind <> excluded.kind)
   OR (%(has_tags)s::boolean AND p.tags <> excluded.tags)
   OR p.attributes <> (p.attributes - %(attribute_names)s::text[]) || excluded.attributes
RETURNING p.id, (p.xmax = 0) AS created
