-- The link is up again. Also ended is a pause by the breaker, if all that it counted came before this session: of a
-- session that flapped it says nothing about the one that holds. `quiet_s`: so long ago the last hand-over of an
-- earlier session had ended; NULL keeps the breaker's pause. Opened so, the account is on trial, as after the
-- breaker's own time.
UPDATE gateway_accounts g
SET state = 'open', reason = NULL, paused_by = NULL, reopens_at = NULL,
    watched_from = CASE WHEN g.paused_by = 'link' THEN g.watched_from ELSE sms_now() END
WHERE g.id = %(account_id)s::bigint AND g.state = 'paused' AND g.reopens_at IS NOT NULL
  AND (g.paused_by = 'link'
       OR coalesce((SELECT t.at FROM tallies t WHERE t.gateway_account_id = g.id ORDER BY t.id DESC LIMIT 1), '-infinity')
          < sms_now() - make_interval(secs => %(quiet_s)s::float))
RETURNING g.name
