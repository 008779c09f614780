-- Takes the next post: pending -> posting. The caller posts only after it has seen this commit, so that a process that
-- dies in between leaves a row that says so.
--
-- Of a channel one post is under way at a time: it is taken with the channel, whose `free_at` says when the next may be
-- (while this one is under way, and then as the provider's limits want it). Both rows are locked and asked again, so
-- that of two workers one gets it and the other none.
--
-- What holds texts back holds posts back too: a run that does not run or still tries its first texts, a stop, a quiet
-- day, the hours of the unit, another database server than before. A test, which has no run, goes at any hour.
WITH due AS MATERIALIZED (
    SELECT p.id, p.channel_id
    FROM channel_posts p
    JOIN channels ch ON ch.id = p.channel_id
    JOIN units u ON u.id = p.unit_id
    LEFT JOIN runs r ON r.id = p.run_id
    WHERE p.status = 'pending' AND p.not_before <= sms_now() AND p.expires_at > sms_now()
      AND ch.state = 'open' AND ch.free_at <= sms_now()
      AND cluster_is_known()
      AND NOT EXISTS (
          SELECT FROM stops s JOIN units su ON su.id = s.unit_id
          WHERE s.released_at IS NULL AND (u.path ^@ su.path OR r.unit_path ^@ su.path))
      AND (p.run_id IS NULL
           OR (r.status IN ('running', 'finished', 'closed') AND r.canary IS NULL
               AND window_is_open(u.timezone, u.window_opens, u.window_closes)
               AND NOT EXISTS (
                   SELECT FROM quiet_days q JOIN units qu ON qu.id = q.unit_id
                   WHERE q.day = (sms_now() AT TIME ZONE u.timezone)::date
                     AND r.class = ANY (q.classes) AND u.path ^@ qu.path)))
    ORDER BY p.not_before, p.id
    LIMIT 1
    FOR UPDATE OF p, ch SKIP LOCKED
),
leased AS (
    UPDATE channels ch SET free_at = sms_now() + make_interval(secs => %(lease_s)s::float)
    FROM due WHERE ch.id = due.channel_id
    RETURNING ch.id, ch.name, ch.kind, ch.sealed, ch.keyword
)
UPDATE channel_posts p
SET status = 'posting', tries = p.tries + 1, reason = NULL, code = NULL, detail = NULL,
    lease_until = sms_now() + make_interval(secs => %(lease_s)s::float)
FROM due JOIN leased ON leased.id = due.channel_id
WHERE p.id = due.id
RETURNING p.id, p.run_id, p.tries, p.content, p.channel_id, leased.name, leased.kind, leased.sealed, leased.keyword,
          sms_now() AS now
