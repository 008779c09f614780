-- A person has settled a text of a run that ended: the clock looks at it soon, and closes it if that was the last.
UPDATE runs SET look_at = 'epoch'
WHERE status = 'finished'
  AND id = (SELECT run_id FROM messages WHERE month = %(month)s::date AND id = %(message_id)s::bigint)
