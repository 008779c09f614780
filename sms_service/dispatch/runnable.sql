-- Running runs with rows that are due, each with the account its route uses now: the first that is open and may take the run's
-- rows. The campaign unit's window is asked here to save work; the gate asks each recipient's own.
SELECT r.id, r.month, a.id AS account_id, a.name AS account
FROM runs r
JOIN units u ON u.id = r.unit_id
JOIN LATERAL (
    SELECT g.id, g.name FROM route_members m JOIN gateway_accounts g ON g.id = m.account_id
    WHERE m.route_id = r.route_id AND g.state = 'open' AND (g.simulated OR NOT r.demonstration)
    ORDER BY m.priority LIMIT 1
) a ON true
WHERE r.status = 'running'
  AND window_is_open(u.timezone, u.window_opens, u.window_closes)
  AND EXISTS (
      SELECT FROM messages m
      WHERE m.month = r.month AND m.run_id = r.id AND m.status = 'pending' AND m.not_before <= sms_now())
ORDER BY r.id
