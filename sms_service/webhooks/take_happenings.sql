-- The next happenings of which nobody was told, locked. A transaction that commits late shows its happenings late, and
-- they are taken then: what was told has a body, and nothing depends on the order of ids. So none is lost.
SELECT id, uid, at, kind, month, target_id, reason FROM happenings
WHERE body IS NULL
ORDER BY id
LIMIT %(size)s::int
FOR UPDATE SKIP LOCKED
