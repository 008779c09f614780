-- Writes runs of one text each, born running, with their rows, in the order of their places. Of a reply that has an
-- answer no second one is written: of two sessions that answer it at once, the second waits for the first.
WITH texts AS MATERIALIZED (
    SELECT nextval(pg_get_serial_sequence('runs', 'id')) AS run_id, in_order.*
    FROM (
        SELECT * FROM jsonb_to_recordset(%(texts)s::jsonb) AS t (
            place int, kind text, class text, unit_id bigint, unit_path text, demonstration boolean, person_id bigint,
            phone text, text text, parts smallint, signature text, route_id bigint, validity_s bigint,
            template_version_id bigint, values jsonb, own jsonb, hides_text boolean, month date, day date,
            reply_in_month date, reply_id bigint, written_by bigint, passes_opt_outs boolean)
        ORDER BY place
    ) in_order
),
written AS (
    INSERT INTO runs (
        id, month, day, kind, status, lane, class, unit_id, unit_path, demonstration, template_version_id, values,
        signature, route_id, hides_text, parts_estimate, audience, validity_s, due_at, launched_at, frozen_at,
        watched_from, expires_at, reply_in_month, reply_id, written_by, passes_opt_outs)
    SELECT run_id, month, day, kind, 'running', 'urgent', class, unit_id, unit_path, demonstration, template_version_id,
           values, signature, route_id, hides_text, parts, 1, validity_s, %(now)s::timestamptz, %(now)s::timestamptz, %(now)s::timestamptz, %(now)s::timestamptz,
           %(now)s::timestamptz + make_interval(secs => validity_s), reply_in_month, reply_id, written_by, passes_opt_outs
    FROM texts
    ORDER BY place
    ON CONFLICT (reply_in_month, reply_id) WHERE reply_id IS NOT NULL DO NOTHING
    RETURNING id, expires_at
),
rows AS (
    INSERT INTO messages (
        month, run_id, person_id, unit_id, unit_path, phone, class, template_version_id, route_id, status, not_before,
        expires_at, parts, text, values, changed_at, carrier)
    SELECT t.month, t.run_id, t.person_id, t.unit_id, t.unit_path, t.phone, t.class, t.template_version_id, t.route_id,
           'pending', %(now)s::timestamptz, w.expires_at, t.parts, t.text, t.own, %(now)s::timestamptz,
           carrier_of(t.phone)
    FROM texts t JOIN written w ON w.id = t.run_id
    ORDER BY t.place
    RETURNING month, id, run_id
)
SELECT t.place, r.month, r.id, r.run_id FROM rows r JOIN texts t ON t.run_id = r.run_id
