-- Keeps that the provider took a reply for a stop, whatever it says; the caller has just stored it.
UPDATE replies SET meaning = 'stop', rule = 'provider_stop' WHERE in_month = %(in_month)s::date AND id = %(id)s::bigint
