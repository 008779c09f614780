-- Accounts that are links and may be handed texts, but that no process holds. A process that is stopped, or whose
-- host vanished, may be connected still, but proves nothing any more. In the order of ids, in which whoever locks
-- several accounts goes.
SELECT g.id FROM gateway_accounts g
WHERE g.name = ANY (%(accounts)s::text[]) AND (g.state = 'open' OR (g.state = 'paused' AND g.paused_by = 'link'))
  AND NOT EXISTS (SELECT FROM leaderships l WHERE l.name = 'link ' || g.name AND l.until > clock_timestamp())
ORDER BY g.id
