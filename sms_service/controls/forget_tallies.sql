-- Tallies that no breaker counts any more, the oldest few by key: a look at the first of them costs the same however
-- many there are.
DELETE FROM tallies
WHERE id IN (SELECT id FROM tallies ORDER BY id LIMIT %(size)s::int) AND at < sms_now() - make_interval(days => %(days)s::int)
