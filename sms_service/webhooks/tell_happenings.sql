-- Keeps what webhooks are told of these happenings, which the caller has locked, and makes their deliveries. What no
-- webhook wants is deleted by the caller.
WITH told AS (
    UPDATE happenings h
    SET body = t.body, unit_path = t.unit_path
    FROM unnest(%(ids)s::bigint[], %(bodies)s::jsonb[], %(unit_paths)s::text[]) AS t (id, body, unit_path)
    WHERE h.id = t.id
)
INSERT INTO webhook_deliveries (webhook_id, happening_id)
SELECT webhook_id, happening_id
FROM unnest(%(webhook_ids)s::bigint[], %(happening_ids)s::bigint[]) AS d (webhook_id, happening_id)
