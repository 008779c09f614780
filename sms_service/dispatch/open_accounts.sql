-- The accounts that may be handed texts now, by route. An account that the breaker has just opened again is on trial
-- until one of its hand-overs succeeds.
SELECT m.route_id, m.account_id AS gateway_account_id, g.name, m.priority, m.weight, g.simulated, g.needs_binding,
       g.trips > 0 AND NOT EXISTS (
           SELECT FROM (SELECT * FROM tallies WHERE gateway_account_id = g.id ORDER BY id DESC LIMIT 20) t
           WHERE t.at >= g.watched_from AND t.unknown + t.blamed < t.texts) AS trial
FROM route_members m
JOIN gateway_accounts g ON g.id = m.account_id
WHERE g.state = 'open'
  AND NOT EXISTS (SELECT FROM stops s WHERE s.released_at IS NULL AND s.gateway_account_id = g.id)
ORDER BY m.route_id, m.priority, g.name
