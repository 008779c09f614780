-- Every text passes here before it leaves: claimed -> submitting, with an attempt for each row that passed. The caller
-- hands over only after it has seen this commit. Everything that can forbid a hand-over is asked here, on PostgreSQL's
-- clock, in the statement that allows it.
--
-- The run's row is locked FOR SHARE: a cancel or pause that has committed is seen here, and a later one waits for
-- this. The advisory locks make sure that it does not wait for ever when gates of many workers overlap (db/locks.py,
-- close_gate_of_run). The statement sees the data of the moment at which it began, so it must not wait long for a run
-- or account that somebody changes, for a row, or for a place of a cap that another gate reserves. It waits for no
-- lock longer than `lock_wait`, which is set before the first lock, for this transaction alone; the lease counts from
-- the same moment.
--
-- `status || ''` keeps the index of leases out of the plan. That index has a dead entry for every row that left, and
-- in a month without statistics the planner would read them all instead of looking up the ids (docs/performance.md).
--
-- Freeze asked whether the person may be texted at this phone (audience/skipping.py); what has changed since is asked
-- here; a guest of a list has left from the beginning. A suppression for a unit holds for runs of that unit and of those
-- below it: its id is in the run's path. One for a class or a signature holds for runs that have it. The text that
-- confirms an opt-out passes opt-outs, and nothing else.
--
-- Caps: a row reserves a place only if nothing else forbids it to leave (so it is locked before), once per message.
-- All statements that change many of these rows go in the order of phones, so that they do not deadlock.
WITH run AS MATERIALIZED (
    SELECT r.status, r.demonstration, r.unit_path, r.class, r.signature, r.kind, r.question_id, r.template_version_id, r.passes_opt_outs,
           string_to_array(btrim(r.unit_path, '/'), '/')::bigint[] AS unit_ids, pg_advisory_xact_lock_shared(r.id * 2)
    FROM set_config('lock_timeout', %(lock_wait)s, true) AS bounded, runs r
    WHERE r.id = %(run_id)s::bigint
    FOR SHARE OF r
),
account AS MATERIALIZED (
    SELECT g.id, g.state, g.simulated, g.needs_binding, pg_advisory_xact_lock_shared(g.id * 2 + 1)
    FROM (SELECT FROM run) AS run_first, gateway_accounts g
    WHERE g.id = %(gateway_account_id)s::bigint
    FOR SHARE OF g
),
-- What the account's provider calls the run's template, where it takes registered ones alone: without it nothing passes.
binding AS MATERIALIZED (
    SELECT b.provider_template_id, b.parameters
    FROM run r, account a, template_bindings b
    WHERE a.needs_binding AND b.template_version_id = r.template_version_id AND b.gateway_account_id = a.id
      AND b.state = 'usable'
),
stopped AS MATERIALIZED (
    SELECT s.gateway_account_id, u.path FROM stops s LEFT JOIN units u ON u.id = s.unit_id WHERE s.released_at IS NULL
),
-- The days on which texts of this class do not leave, of the three that are today somewhere.
quiet AS MATERIALIZED (
    SELECT u.path, q.day
    FROM run r, quiet_days q JOIN units u ON u.id = q.unit_id
    WHERE q.day BETWEEN (sms_now() AT TIME ZONE 'UTC')::date - 1 AND (sms_now() AT TIME ZONE 'UTC')::date + 1
      AND r.class = ANY (q.classes) AND r.kind <> 'test'
),
-- Everybody's cap has the path that is the beginning of every path.
cap AS MATERIALIZED (
    SELECT '/' AS path, c.per_day FROM run r JOIN caps c ON c.class = r.class WHERE r.kind <> 'test'
    UNION ALL
    SELECT u.path, c.per_day
    FROM run r JOIN unit_caps c ON c.class = r.class JOIN units u ON u.id = c.unit_id WHERE r.kind <> 'test'
),
offered AS (
    SELECT * FROM unnest(%(ids)s::bigint[], %(texts)s::text[], %(parts)s::smallint[]) AS o (id, text, parts)
),
eligible AS MATERIALIZED (
    SELECT m.id, m.phone, m.cap_day, o.text, o.parts, (sms_now() AT TIME ZONE u.timezone)::date AS day,
           (SELECT min(c.per_day) FROM cap c WHERE u.path ^@ c.path) AS per_day
    FROM run r, account a, offered o, messages m, units u, people p
    WHERE m.month = %(month)s::date
      AND m.id = o.id
      AND u.id = m.unit_id
      AND p.id = m.person_id
      AND p.phone = m.phone
      AND (p.left_at IS NULL OR p.kind = 'guest')
      AND NOT p.lost_contact
      AND m.status || '' = 'claimed'
      AND m.claim_token = %(token)s::uuid
      AND m.lease_until > sms_now()
      AND m.expires_at > sms_now()
      AND r.status = 'running'
      AND a.state = 'open'
      AND (a.simulated OR NOT r.demonstration)
      AND (NOT a.needs_binding OR EXISTS (SELECT FROM binding))
      AND cluster_is_known()
      AND window_is_open(u.timezone, u.window_opens, u.window_closes)
      AND NOT EXISTS (SELECT FROM quiet q WHERE q.day = (sms_now() AT TIME ZONE u.timezone)::date AND u.path ^@ q.path)
      AND NOT EXISTS (
          SELECT FROM suppressions s
          WHERE s.phone = m.phone AND s.lifted_at IS NULL AND (s.unit_id IS NULL OR s.unit_id = ANY (r.unit_ids))
            AND (s.class IS NULL OR s.class = r.class) AND (s.signature IS NULL OR s.signature = r.signature)
            AND NOT (r.passes_opt_outs AND s.reason = 'opted_out'))
      AND NOT EXISTS (
          SELECT FROM stopped s
          WHERE s.gateway_account_id = a.id OR u.path ^@ s.path OR m.unit_path ^@ s.path OR r.unit_path ^@ s.path)
    FOR NO KEY UPDATE OF m
),
reserved AS (
    INSERT INTO cap_uses AS c (phone, class, day, used)
    SELECT e.phone, r.class, e.day, 1
    FROM eligible e, run r WHERE e.cap_day IS NULL AND e.per_day IS NOT NULL ORDER BY e.phone
    ON CONFLICT (phone, class, day) DO UPDATE SET used = c.used + 1
        WHERE c.used < (SELECT e.per_day FROM eligible e WHERE e.phone = c.phone LIMIT 1)
    RETURNING c.phone
),
passed AS (
    UPDATE messages m
    SET status = 'submitting',
        attempts = m.attempts + 1,
        text = coalesce(m.text, e.text),
        parts = coalesce(m.parts, e.parts),
        cap_day = CASE WHEN e.per_day IS NOT NULL THEN coalesce(e.cap_day, e.day) END,
        lease_until = sms_now() + make_interval(secs => %(lease_s)s::float),
        changed_at = sms_now()
    FROM eligible e
    WHERE m.month = %(month)s::date
      AND m.id = e.id
      AND (e.cap_day IS NOT NULL OR e.per_day IS NULL OR e.phone IN (SELECT phone FROM reserved))
    RETURNING m.id, m.attempts, m.phone, m.text, m.parts, m.account_id, m.expires_at
),
numbered AS MATERIALIZED (
    SELECT nextval('attempts_id_seq') AS attempt_id, * FROM passed
),
written AS (
    INSERT INTO attempts (month, id, message_id, run_id, number, account_id, claim_token, status, parts, started_at)
    SELECT %(month)s::date, attempt_id, id, %(run_id)s::bigint, attempts, account_id, %(token)s::uuid, 'submitting', parts, sms_now()
    FROM numbered
)
SELECT attempt_id, id, phone, text, parts, attempts, extract(epoch FROM expires_at - sms_now())::float AS validity_s,
       b.provider_template_id, b.parameters, (SELECT question_id FROM run) AS question_id
FROM numbered LEFT JOIN binding b ON true
ORDER BY attempt_id
