-- Locks one reply by its key, for whoever changes what it means or what became of it.
SELECT id FROM replies WHERE in_month = %(in_month)s::date AND id = %(id)s::bigint FOR UPDATE
