-- Finds the attempts of receipts, within their gateway account, by what the receipts name:
-- 1. by our attempt's name, if the provider sends it back;
-- 2. else by the phone and the provider's id of a part or of the whole text: the newest attempt of the 14 days before
--    the receipt, since ids are reused. A text that was handed over after the receipt came cannot be meant. The search
--    is not limited to a month, since a text that a person sends again much later has the month of its run.
-- The chain of lateral joins does the second only if there is no name. All look-ups are by key, also in a month
-- without statistics: LIMIT 1 leaves the planner no other way. It only reads, since the months come from rows; the
-- statement that then changes rows knows their month.
SELECT b.id AS receipt_id, coalesce(w1.month, w2.month) AS month, coalesce(w1.id, w2.id) AS attempt_id,
       coalesce(nullif(b.part, 0::smallint), p.part, 0::smallint) AS part
FROM unnest(%(in_months)s::date[], %(ids)s::bigint[]) AS wanted (in_month, id)
JOIN receipts b ON b.in_month = wanted.in_month AND b.id = wanted.id
JOIN gateway_accounts g ON g.id = b.account_id
LEFT JOIN LATERAL (
    SELECT a.month, a.id FROM attempts a
    WHERE a.month = b.month AND a.id = b.attempt_id AND a.account_id = b.account_id
    LIMIT 1
) w1 ON true
LEFT JOIN LATERAL (
    SELECT a.month, a.id
    FROM (
        SELECT month, attempt_id AS id FROM attempt_parts
        WHERE account_id = b.account_id AND provider_id = b.provider_id AND b.attempt_id IS NULL
        UNION
        SELECT month, id FROM attempts
        WHERE account_id = b.account_id AND provider_id = b.provider_id AND b.attempt_id IS NULL
    ) named
    CROSS JOIN LATERAL (
        SELECT month, id, message_id, started_at FROM attempts WHERE month = named.month AND id = named.id LIMIT 1
    ) a
    CROSS JOIN LATERAL (SELECT phone FROM messages WHERE month = a.month AND id = a.message_id LIMIT 1) m
    WHERE a.started_at > b.received_at - interval '14 days' AND a.started_at <= b.received_at
      AND (m.phone = b.phone OR (b.phone IS NULL AND NOT g.names_groups))
    ORDER BY a.started_at DESC LIMIT 1
) w2 ON true
LEFT JOIN LATERAL (
    SELECT part FROM attempt_parts
    WHERE month = coalesce(w1.month, w2.month) AND attempt_id = coalesce(w1.id, w2.id) AND provider_id = b.provider_id
    ORDER BY part LIMIT 1
) p ON true
WHERE coalesce(w1.id, w2.id) IS NOT NULL
