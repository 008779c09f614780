-- The months of the ledger in which rows may wait, be leased or be awaited: those of runs that are frozen and not closed. Statements that
-- change rows take one month at a time as a parameter, so that none chooses a partition while it runs.
SELECT DISTINCT month FROM runs WHERE status IN ('running', 'paused', 'held', 'finished', 'cancelled') ORDER BY month
