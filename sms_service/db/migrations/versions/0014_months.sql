-- As in 0002, for all tables that have the months of the ledger. The first partition of one that was no partitioned table before has
-- several months, so that the bounds are asked and not the names. A lock is waited for longer than deadlock_timeout, so that an
-- autovacuum that holds it is sent away. A foreign key locks the table that it names: gateway_accounts before runs, as whoever changes
-- both does.
CREATE OR REPLACE FUNCTION ensure_month(wanted date) RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp SET lock_timeout = '3s' SET datestyle = 'ISO' AS $$
DECLARE
    suffix text := to_char(wanted, 'YYYYMM');
    parent text;
BEGIN
    IF wanted <> date_trunc('month', wanted)::date OR wanted NOT BETWEEN now()::date - 400 AND now()::date + 400 THEN
        RAISE EXCEPTION 'ensure_month: % is not the first day of a month near today', wanted;
    END IF;
    IF to_regclass('public.attempts_' || suffix) IS NOT NULL AND to_regclass('public.replies_' || suffix) IS NOT NULL THEN
        RETURN false;
    END IF;
    PERFORM pg_advisory_xact_lock(hashtext('ensure_month'));
    IF (SELECT count(*) FROM pg_class
        WHERE relnamespace = 'public'::regnamespace AND relname IN ('attempts_' || suffix, 'replies_' || suffix)) = 2 THEN
        RETURN false;
    END IF;
    FOREACH parent IN ARRAY ARRAY['receipts', 'replies', 'attempt_parts', 'attempts', 'messages'] LOOP
        CONTINUE WHEN EXISTS (
            SELECT FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
            WHERE i.inhparent = ('public.' || parent)::regclass
              AND strpos(pg_get_expr(c.relpartbound, c.oid), quote_literal(wanted)) > 0);
        EXECUTE format(
            'CREATE TABLE public.%I (LIKE public.%I INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING INDEXES INCLUDING STORAGE)',
            parent || '_' || suffix, parent);
        EXECUTE format(
            'ALTER TABLE public.%I ATTACH PARTITION public.%I FOR VALUES IN (%L)', parent, parent || '_' || suffix, wanted);
    END LOOP;
    RETURN true;
END
$$;

-- As in 0002, for the same tables.
CREATE OR REPLACE FUNCTION analyse_new_months() RETURNS integer LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    partition regclass;
    done integer := 0;
BEGIN
    FOR partition IN
        SELECT i.inhrelid FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
        WHERE i.inhparent IN (
                'public.messages'::regclass, 'public.attempts'::regclass, 'public.attempt_parts'::regclass,
                'public.receipts'::regclass, 'public.replies'::regclass)
          AND c.relkind = 'r' AND pg_relation_size(c.oid) >= 65536
          AND NOT EXISTS (SELECT FROM pg_stats s WHERE s.schemaname = 'public' AND s.tablename = c.relname)
    LOOP
        EXECUTE format('ANALYZE %s', partition);
        done := done + 1;
    END LOOP;
    RETURN done;
END
$$;
