-- Deletes tallies that no breaker counts any more, the oldest few by key. Reading by key costs the same however many
-- tallies there are.
DELETE FROM tallies
WHERE id IN (SELECT id FROM tallies ORDER BY id LIMIT %(size)s::int) AND at < sms_now() - make_interval(days => %(days)s::int)
