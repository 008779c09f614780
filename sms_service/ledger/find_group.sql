-- The unknown attempts that must have the same provider's id as these, if ids name groups: the attempts of one claim,
-- which the gate wrote at one moment. If the provider takes one text for all recipients, texts with other words went
-- in another call, so they are left out.
SELECT t.attempt_id AS source_id, x.id AS attempt_id, t.provider_id
FROM unnest(%(attempt_ids)s::bigint[], %(provider_ids)s::text[]) AS t (attempt_id, provider_id)
CROSS JOIN LATERAL (
    SELECT account_id, claim_token, started_at, message_id FROM attempts WHERE month = %(month)s::date AND id = t.attempt_id LIMIT 1
) o
JOIN gateway_accounts g ON g.id = o.account_id
CROSS JOIN LATERAL (SELECT text FROM messages WHERE month = %(month)s::date AND id = o.message_id LIMIT 1) w
JOIN attempts x ON x.month = %(month)s::date AND x.account_id = o.account_id AND x.status = 'unknown'
               AND x.started_at = o.started_at AND x.claim_token = o.claim_token AND x.provider_id IS NULL
WHERE NOT g.one_text OR w.text = (SELECT text FROM messages WHERE month = %(month)s::date AND id = x.message_id)
