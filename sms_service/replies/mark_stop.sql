-- Says of a reply that it means stop; the caller has just stored it, or joined it.
UPDATE replies SET meaning = 'stop' WHERE in_month = %(in_month)s::date AND id = %(id)s::bigint
