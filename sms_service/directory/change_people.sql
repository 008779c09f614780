-- The people whom an import changes or moves. Columns that the file does not have (kind, tags) are not changed; of the
-- attributes only those with a column in the file are replaced. A phone that is unusable in the file leaves a usable one.
UPDATE people p SET
    unit_id = r.unit_id,
    number = coalesce(r.number, p.number),
    name = r.name,
    kind = CASE WHEN %(has_kind)s::boolean THEN r.kind ELSE p.kind END,
    phone = CASE WHEN r.phone_problem IS NULL THEN r.phone ELSE p.phone END,
    phone_problem = CASE WHEN p.phone IS NULL OR r.phone_problem IS NULL THEN r.phone_problem END,
    phone_problem_message = CASE WHEN p.phone IS NULL OR r.phone_problem IS NULL THEN r.phone_problem_message END,
    tags = CASE WHEN %(has_tags)s::boolean THEN r.tags ELSE p.tags END,
    attributes = said_attributes(p.attributes, r.attributes, %(attribute_names)s::text[]),
    updated_at = now()
FROM import_rows r
JOIN import_outcomes o ON o.import_id = r.import_id AND o.row = r.row
WHERE r.import_id = %(import_id)s AND o.outcome IN ('changed', 'moved') AND p.id = o.person_id
