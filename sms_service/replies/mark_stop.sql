-- Marks a reply that means stop; the caller has just stored or joined it.
UPDATE replies SET meaning = 'stop' WHERE in_month = %(in_month)s::date AND id = %(id)s::bigint
