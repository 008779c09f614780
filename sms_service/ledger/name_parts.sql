-- Gives parts of unknown long texts the ids in receipts that have come for them, at accounts whose receipts are each
-- about one part. We do not know such an id, since the answer with it never came. It does not matter which part it
-- belongs to, as all parts have to arrive: ids get the free numbers in the order of their receipts, and surplus ids
-- get none. The caller has locked the attempts, so that nobody else gives away the same numbers.
WITH strange AS (
    SELECT attempt_id, provider_id, row_number() OVER (PARTITION BY attempt_id ORDER BY min(place)) AS place
    FROM unnest(%(attempt_ids)s::bigint[], %(provider_ids)s::text[]) WITH ORDINALITY AS t (attempt_id, provider_id, place)
    GROUP BY attempt_id, provider_id
),
free AS (
    SELECT a.id, a.account_id, s.part, row_number() OVER (PARTITION BY a.id ORDER BY s.part) AS place
    FROM (SELECT DISTINCT attempt_id FROM strange) k
    CROSS JOIN LATERAL (
        SELECT id, account_id, parts FROM attempts WHERE month = %(month)s::date AND id = k.attempt_id LIMIT 1
    ) a
    CROSS JOIN LATERAL generate_series(1, a.parts) AS s (part)
    WHERE NOT EXISTS (
        SELECT FROM attempt_parts p WHERE p.month = %(month)s::date AND p.attempt_id = a.id AND p.part = s.part)
)
INSERT INTO attempt_parts (month, attempt_id, part, account_id, provider_id)
SELECT %(month)s::date, f.id, f.part, f.account_id, s.provider_id
FROM strange s JOIN free f ON f.id = s.attempt_id AND f.place = s.place
ORDER BY f.id, f.part
ON CONFLICT DO NOTHING
RETURNING attempt_id, provider_id, part
