-- Accounts that are links and may be handed texts, but whose process is not there: the process is known by its connection. In the
-- order of ids, in which whoever locks several accounts goes.
SELECT g.id FROM gateway_accounts g
WHERE g.name = ANY (%(accounts)s::text[]) AND (g.state = 'open' OR (g.state = 'paused' AND g.reason ^@ 'the link is down: '))
  AND NOT EXISTS (SELECT FROM pg_stat_activity a WHERE a.application_name = %(application)s || g.name AND a.datname = current_database())
ORDER BY g.id
