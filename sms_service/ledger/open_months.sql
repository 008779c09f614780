-- The months of the ledger in which the clock may have something to do: those of runs under way, and of runs that
-- ended and are due to be looked at (put_off_ended.sql), so that this does not grow with history. Statements that
-- change rows take one month at a time as a parameter, so that none chooses a partition while it runs.
SELECT month FROM runs WHERE status IN ('running', 'paused', 'held')
UNION
SELECT month FROM runs WHERE status IN ('finished', 'cancelled') AND look_at <= sms_now()
ORDER BY month
