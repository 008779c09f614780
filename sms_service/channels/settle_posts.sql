-- What waits and is not to be posted any more is cancelled, and what was about to be posted when its process died is
-- unknown. Whoever records an outcome at the same moment goes first: the status is asked again once the row is locked.
UPDATE channel_posts p
SET status = found.target, reason = found.reason, lease_until = NULL
FROM (
    SELECT p.id, p.status, CASE p.status WHEN 'posting' THEN 'unknown' ELSE 'cancelled' END AS target,
           CASE WHEN p.status = 'posting' THEN 'no_answer'
                WHEN ch.state = 'removed' THEN 'channel_removed'
                WHEN r.status = 'cancelled' THEN 'run_cancelled'
                ELSE 'expired' END AS reason
    FROM channel_posts p
    JOIN channels ch ON ch.id = p.channel_id
    LEFT JOIN runs r ON r.id = p.run_id
    WHERE p.status IN ('pending', 'posting')
      AND CASE p.status WHEN 'posting' THEN p.lease_until < sms_now()
          ELSE ch.state = 'removed' OR r.status IS NOT DISTINCT FROM 'cancelled' OR p.expires_at < sms_now() END
) found
WHERE p.id = found.id AND p.status = found.status
RETURNING p.id, p.status
