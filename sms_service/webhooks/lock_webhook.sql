-- The webhook whose turn it is, locked: one for which something is due, that is not resting after a failure, and to
-- which less is under way than may be at once. Whoever finds it locked takes another one. What is under way is counted
-- again, under the lock, by the statement that takes a delivery.
SELECT w.id, w.failures, w.sealed FROM webhooks w
WHERE w.state = 'open' AND w.free_at <= sms_now()
  AND EXISTS (
      SELECT FROM webhook_deliveries d WHERE d.webhook_id = w.id AND d.status = 'pending' AND d.not_before <= sms_now())
  AND (SELECT count(*) FROM webhook_deliveries d WHERE d.webhook_id = w.id AND d.status = 'sending')
      < CASE WHEN w.failures > 0 THEN 1 ELSE %(at_once)s::int END
ORDER BY w.taken_at, w.id
LIMIT 1
FOR NO KEY UPDATE SKIP LOCKED
