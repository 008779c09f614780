-- Adds the callbacks that one process has refused since the last time. Always in the same order, so that two processes
-- never wait for each other. An account that the database does not know is not counted.
INSERT INTO refused_callbacks AS c (account_id, day, reason, number, last_at)
SELECT g.id, (sms_now() AT TIME ZONE 'UTC')::date, t.reason, t.number, sms_now()
FROM unnest(%(accounts)s::text[], %(reasons)s::text[], %(numbers)s::bigint[]) AS t (account, reason, number)
JOIN gateway_accounts g ON g.name = t.account
ORDER BY g.id, t.reason
ON CONFLICT (account_id, day, reason) DO UPDATE SET number = c.number + excluded.number, last_at = excluded.last_at
