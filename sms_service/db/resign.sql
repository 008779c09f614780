-- Gives up the leadership, so that another process need not wait until the lease is over.
UPDATE leaderships SET until = clock_timestamp()
WHERE name = %(name)s::text AND holder = %(holder)s::text AND epoch = %(epoch)s::bigint AND until > clock_timestamp()
