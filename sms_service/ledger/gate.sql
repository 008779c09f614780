-- The only way to the wire: claimed -> submitting, with an attempt for each row that passed. The run's row is locked FOR SHARE, so
-- that a cancel or pause that has committed is seen here and one that comes later waits for this. Everything that can forbid a
-- hand-over is asked here, on PostgreSQL's clock, in the statement that allows it. The caller hands over only after it has seen
-- this commit. `status || ''` keeps the index of leases out of the plan: it has a dead entry for every row that left, and on a
-- month without statistics yet the planner would read them all instead of looking up the ids (docs/performance.md).
WITH run AS MATERIALIZED (
    SELECT status, demonstration FROM runs WHERE id = %(run_id)s::bigint FOR SHARE
),
account AS MATERIALIZED (
    SELECT id, state, simulated FROM gateway_accounts WHERE id = %(account_id)s::bigint FOR SHARE
),
offered AS (
    SELECT * FROM unnest(%(ids)s::bigint[], %(texts)s::text[], %(parts)s::smallint[]) AS o (id, text, parts)
),
passed AS (
    UPDATE messages m
    SET status = 'submitting',
        attempts = m.attempts + 1,
        text = coalesce(m.text, o.text),
        parts = coalesce(m.parts, o.parts),
        lease_until = sms_now() + make_interval(secs => %(lease_s)s::float),
        changed_at = sms_now()
    FROM offered o, run r, account a, units u
    WHERE m.month = %(month)s::date
      AND m.id = o.id
      AND u.id = m.unit_id
      AND m.status || '' = 'claimed'
      AND m.claim_token = %(token)s::uuid
      AND m.lease_until > sms_now()
      AND m.expires_at > sms_now()
      AND r.status = 'running'
      AND a.state = 'open'
      AND (a.simulated OR NOT r.demonstration)
      AND window_is_open(u.timezone, u.window_opens, u.window_closes)
      AND NOT EXISTS (SELECT FROM suppressions s WHERE s.phone = m.phone)
    RETURNING m.id, m.attempts, m.phone, m.text, m.parts, m.account_id, m.expires_at
),
written AS (
    INSERT INTO attempts (month, message_id, run_id, number, account_id, claim_token, status, parts, started_at)
    SELECT %(month)s::date, id, %(run_id)s::bigint, attempts, account_id, %(token)s::uuid, 'submitting', parts, sms_now()
    FROM passed
    RETURNING id, message_id
)
SELECT written.id AS attempt_id, passed.phone, passed.text, passed.parts, passed.attempts,
       extract(epoch FROM passed.expires_at - sms_now())::float AS validity_s
FROM passed JOIN written ON written.message_id = passed.id
ORDER BY written.id
