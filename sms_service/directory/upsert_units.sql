-- Writes all units that a file creates or changes, and every unit whose path changes because a unit above it moved.
-- The caller decides ids and paths, and passes parents before their children. A new unit gets its parent's time zone,
-- window, days until redaction and mark; existing units keep theirs.
INSERT INTO units AS u (id, parent_id, code, name, level, path, timezone, window_opens, window_closes, redact_after_days, demonstration)
SELECT id, parent_id, code, name, level, path, timezone, window_opens, window_closes, redact_after_days, demonstration
FROM unnest(%(ids)s::bigint[], %(parent_ids)s::bigint[], %(codes)s::text[], %(names)s::text[], %(levels)s::text[],
            %(paths)s::text[], %(timezones)s::text[], %(opens)s::smallint[], %(closes)s::smallint[],
            %(redactions)s::smallint[], %(demonstrations)s::boolean[])
     AS row (id, parent_id, code, name, level, path, timezone, window_opens, window_closes, redact_after_days, demonstration)
ON CONFLICT (id) DO UPDATE SET
    parent_id = excluded.parent_id, name = excluded.name, level = excluded.level, path = excluded.path
