-- Finds the texts that receipts may be about if they name nothing of ours: texts that went over the receipt's account
-- to its phone within the 72 h before the receipt and whose answer never came, or did not name what was taken. Only
-- such attempts have `attempts.phone`. It stays when a person settles them or anything else ends them, since a
-- settled text may be the right one too. So the cost of this search does not depend on how many texts are unknown. A
-- rolling upgrade may still write unknown attempts without a phone; theirs is in the message.
--
-- A receipt is of a moment not after it came in and, where it says that it was within the hour before, not much after
-- that: clocks differ, and some say the minute only. What is said to be older is not believed: clocks stand still or
-- are set to another zone. An attempt is left out if it has an id of its own by now, or if all its parts have one. If
-- one attempt remains, the receipt is about it, unless another text to the phone is on its way, whose answer is not
-- written down yet; then the receipt waits.
WITH asked AS MATERIALIZED (
    SELECT r.id, r.account_id, r.phone, r.provider_id, r.part, g.names_parts, g.names_groups,
           CASE
               WHEN r.occurred_at > r.received_at - interval '1 hour' THEN least(r.received_at, r.occurred_at + interval '5 minutes')
               ELSE r.received_at
           END AS at
    FROM unnest(%(in_months)s::date[], %(ids)s::bigint[]) AS wanted (in_month, id)
    JOIN receipts r ON r.in_month = wanted.in_month AND r.id = wanted.id
    JOIN gateway_accounts g ON g.id = r.account_id
    WHERE r.phone IS NOT NULL AND r.attempt_id IS NULL
),
meant AS MATERIALIZED (
    SELECT q.*, c.*
    FROM asked q
    CROSS JOIN LATERAL (
        SELECT count(*) AS texts, min(a.month) AS month, min(a.id) AS attempt_id, min(a.parts) AS parts
        FROM (
            SELECT month, id, parts, provider_id, status FROM attempts
            WHERE account_id = q.account_id AND phone = q.phone
              AND started_at > q.at - interval '72 hours' AND started_at <= q.at
            UNION ALL
            SELECT a.month, a.id, a.parts, a.provider_id, a.status
            FROM attempts a
            CROSS JOIN LATERAL (SELECT phone FROM messages WHERE month = a.month AND id = a.message_id LIMIT 1) m
            WHERE a.account_id = q.account_id AND a.phone IS NULL AND a.status = 'unknown'
              AND a.started_at > q.at - interval '72 hours' AND a.started_at <= q.at AND m.phone = q.phone
        ) a
        WHERE (a.provider_id IS NULL OR (a.status = 'unknown' AND a.parts > 1))
          AND NOT (q.names_parts AND a.parts > 1
                   AND a.parts <= (SELECT count(*) FROM attempt_parts WHERE month = a.month AND attempt_id = a.id))
    ) c
    WHERE c.texts > 0
),
leaving AS MATERIALIZED (
    SELECT a.account_id, m.phone
    FROM attempts a
    CROSS JOIN LATERAL (SELECT phone FROM messages WHERE month = a.month AND id = a.message_id LIMIT 1) m
    WHERE a.status = 'submitting' AND a.account_id IN (SELECT account_id FROM meant) AND m.phone IS NOT NULL
)
SELECT id AS receipt_id, texts, month, attempt_id, provider_id, part, parts, names_groups,
       names_parts AND parts > 1 AS names_part,
       (account_id, phone) IN (SELECT account_id, phone FROM leaving) AS waits
FROM meant
ORDER BY id
