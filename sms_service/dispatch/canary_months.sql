-- The months in which runs let only their first texts leave; each is judged by statements of its own (see ledger/open_months.sql).
SELECT DISTINCT month FROM runs WHERE status = 'running' AND canary IS NOT NULL ORDER BY month
