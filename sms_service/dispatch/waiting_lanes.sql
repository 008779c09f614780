-- The lanes in which runs wait to be frozen.
SELECT DISTINCT lane FROM runs WHERE status = 'freezing'
