-- The clock looks at once at what was sent of runs that have just ended.
UPDATE quota_reservations SET look_at = 'epoch' WHERE run_id = ANY (%(run_ids)s::bigint[])
