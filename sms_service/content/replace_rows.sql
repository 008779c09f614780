-- Makes a list's rows those of a draft, in one statement, so that the rows never travel: what the draft has is written
-- where it differs, what it has not is archived.
WITH wanted AS (
    SELECT one.value ->> 0 AS name, one.value -> 1 AS values, one.ordinality AS place
    FROM reference_drafts d
    CROSS JOIN LATERAL jsonb_array_elements(d.rows) WITH ORDINALITY AS one (value, ordinality)
    WHERE d.id = %(draft_id)s::bigint
), gone AS (
    UPDATE reference_rows r SET archived_at = sms_now()
    WHERE r.list_id = %(list_id)s::bigint AND r.archived_at IS NULL
        AND r.name NOT IN (SELECT w.name FROM wanted w)
)
INSERT INTO reference_rows AS r (list_id, name, values, place)
SELECT %(list_id)s::bigint, w.name, w.values, w.place FROM wanted w
ON CONFLICT (list_id, name) DO UPDATE SET values = EXCLUDED.values, place = EXCLUDED.place, archived_at = NULL
WHERE (r.values, r.place) IS DISTINCT FROM (EXCLUDED.values, EXCLUDED.place) OR r.archived_at IS NOT NULL
