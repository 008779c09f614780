-- Leads no longer, so that another need not wait for the lease's end.
UPDATE leaderships SET until = clock_timestamp()
WHERE name = %(name)s::text AND holder = %(holder)s::text AND epoch = %(epoch)s::bigint AND until > clock_timestamp()
