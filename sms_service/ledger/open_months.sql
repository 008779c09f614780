-- The months of the ledger in which the clock may have work: those of runs under way, and of ended runs that are due
-- to be looked at (put_off_ended.sql), so that the cost does not grow with history. Statements that change rows get
-- one month at a time as a parameter, so that none chooses a partition while it runs.
SELECT month FROM runs WHERE status IN ('running', 'paused', 'held')
UNION
SELECT month FROM runs WHERE status IN ('finished', 'cancelled') AND look_at <= sms_now()
ORDER BY month
