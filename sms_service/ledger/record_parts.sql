-- Stores the provider's ids of these attempts' parts; an id that is stored already stays.
INSERT INTO attempt_parts (month, attempt_id, part, account_id, provider_id)
SELECT a.month, a.id, t.part, a.account_id, t.provider_id
FROM unnest(%(attempt_ids)s::bigint[], %(parts)s::smallint[], %(provider_ids)s::text[]) AS t (attempt_id, part, provider_id)
CROSS JOIN LATERAL (SELECT month, id, account_id FROM attempts WHERE month = %(month)s::date AND id = t.attempt_id LIMIT 1) a
ON CONFLICT DO NOTHING
