-- Link accounts that may be handed texts but that no process holds. A process that is stopped, or whose host has
-- vanished, may still be connected, but does not renew its lease. Ordered by id, the order in which every statement
-- locks several accounts, so that no two wait for each other.
SELECT g.id FROM gateway_accounts g
WHERE g.name = ANY (%(accounts)s::text[]) AND (g.state = 'open' OR (g.state = 'paused' AND g.paused_by = 'link'))
  AND NOT EXISTS (SELECT FROM leaderships l WHERE l.name = 'link ' || g.name AND l.until > clock_timestamp())
ORDER BY g.id
