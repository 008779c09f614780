-- A receipt that PostgreSQL refuses to apply, whoever tries, is only listed from now on.
UPDATE receipts SET tries = least(tries + 1, 30000), next_try_at = 'infinity', note = %(note)s
WHERE in_month = %(in_month)s::date AND id = %(id)s::bigint AND applied_at IS NULL
