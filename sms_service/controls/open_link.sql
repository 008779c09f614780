-- The link is up again: this ends a pause by the link. It ends a pause by the breaker too, if all that the breaker
-- counted came before this session: failures of a session that broke say nothing about one that lasts. `quiet_s`:
-- seconds since the last hand-over of an earlier session ended; NULL keeps the breaker's pause. An account whose
-- breaker pause ends this way is on trial, as after the breaker's own time.
UPDATE gateway_accounts g
SET state = 'open', state_since = sms_now(), reason = NULL, reason_message = NULL, paused_by = NULL, reopens_at = NULL,
    watched_from = CASE WHEN g.paused_by = 'link' THEN g.watched_from ELSE sms_now() END
WHERE g.id = %(gateway_account_id)s::bigint AND g.state = 'paused' AND g.reopens_at IS NOT NULL
  AND (g.paused_by = 'link'
       OR coalesce((SELECT t.at FROM tallies t WHERE t.gateway_account_id = g.id ORDER BY t.id DESC LIMIT 1), '-infinity')
          < sms_now() - make_interval(secs => %(quiet_s)s::float))
RETURNING g.name
