-- The counts of an import's rows, and a number that differs if any row's outcome, or whom it is about, differs.
SELECT count(*) AS rows,
       count(*) FILTER (WHERE outcome = 'created') AS created,
       count(*) FILTER (WHERE outcome = 'changed') AS changed,
       count(*) FILTER (WHERE outcome = 'moved') AS moved,
       count(*) FILTER (WHERE outcome = 'unchanged') AS unchanged,
       count(*) FILTER (WHERE outcome = 'refused') AS refused,
       count(*) FILTER (WHERE why = 'asked') AS asked,
       coalesce(sum(hashtextextended(concat_ws(' ', row, outcome, person_id), 0)), 0)::text AS mark
FROM import_outcomes
WHERE import_id = %(import_id)s
