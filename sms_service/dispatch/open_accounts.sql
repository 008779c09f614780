-- The accounts that may be handed texts now, by route.
SELECT m.route_id, m.account_id, g.name, m.priority, m.weight, g.simulated
FROM route_members m
JOIN gateway_accounts g ON g.id = m.account_id
WHERE g.state = 'open'
  AND NOT EXISTS (SELECT FROM stops s WHERE s.released_at IS NULL AND s.gateway_account_id = g.id)
ORDER BY m.route_id, m.priority, g.name
