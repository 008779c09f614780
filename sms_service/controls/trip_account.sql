-- The breaker of a gateway account: pauses it if too many of its last texts are unknown, or were refused and the
-- account is to blame. It counts whole hand-overs, newest first, until it has seen `texts` texts. The account opens by
-- itself; the pause is longer after each trip in a row.
WITH last AS (
    SELECT sum(texts) AS texts, sum(bad) AS bad
    FROM (
        SELECT t.texts, t.unknown + t.blamed AS bad, sum(t.texts) OVER (ORDER BY t.id DESC) - t.texts AS newer
        FROM (
            SELECT t.* FROM tallies t JOIN gateway_accounts g ON g.id = t.gateway_account_id
            WHERE t.gateway_account_id = %(gateway_account_id)s::bigint AND t.at >= g.watched_from
            ORDER BY t.id DESC LIMIT %(texts)s::int
        ) AS t
    ) AS counted
    WHERE newer < %(texts)s::int
)
UPDATE gateway_accounts g
SET state = 'paused',
    paused_by = 'breaker',
    state_since = sms_now(),
    reason = format('%%s of its last %%s texts were unknown or refused', last.bad, last.texts),
    reason_message = jsonb_build_object(
        'message', '{bad} of its last {texts} texts were unknown or refused',
        'values', jsonb_build_object('bad', last.bad, 'texts', last.texts)),
    trips = CASE WHEN g.watched_from < sms_now() - make_interval(secs => %(longest_s)s::float) THEN 1 ELSE least(g.trips + 1, 30) END,
    reopens_at = sms_now() + make_interval(secs => CASE
        WHEN g.watched_from < sms_now() - make_interval(secs => %(longest_s)s::float) THEN %(first_s)s::float
        ELSE least(%(longest_s)s::float, %(first_s)s::float * 2 ^ g.trips) END)
FROM last
WHERE g.id = %(gateway_account_id)s::bigint AND g.state = 'open'
  -- While the account is on trial after a trip, one hand-over without any success is enough.
  AND (last.texts >= %(least)s::int OR (g.trips > 0 AND last.bad = last.texts))
  AND last.bad >= %(bad_share)s::float * last.texts
RETURNING g.name, g.reason
