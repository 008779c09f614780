-- Who leads, proved by a lease; when a run's canary began.

ALTER TABLE runs ADD COLUMN canary_since TIMESTAMP WITH TIME ZONE;

-- One row for each thing that one process at a time does ("clock", "link NAME", ...). Who leads says so again and again; the lease ends
-- by itself. `epoch` counts the leaders: what an earlier one does after its end is told by it.
CREATE TABLE leaderships (
    name TEXT NOT NULL,
    holder TEXT NOT NULL,
    epoch BIGINT NOT NULL,
    since TIMESTAMP WITH TIME ZONE NOT NULL,
    until TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_leaderships PRIMARY KEY (name)
);
GRANT SELECT, INSERT, UPDATE ON leaderships TO sms_app;

-- The advisory lock that a leader's transactions share, and that a take-over needs alone.
CREATE FUNCTION leadership_key(name text) RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT hashtextextended('leadership ' || name, 0)
$$;

-- For the beginning of a transaction: whether its process still leads. Until the transaction ends nobody else can take over. The lock
-- comes in a statement before the look, so that a take-over which was waited for is seen. No row is locked, so asking writes nothing.
-- The clock is the real one, not sms_now(): a lease is no matter of the city's time.
CREATE FUNCTION still_leads(wanted text, mine bigint) RETURNS boolean LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    PERFORM pg_advisory_xact_lock_shared(leadership_key(wanted));
    RETURN EXISTS (SELECT FROM leaderships WHERE name = wanted AND epoch = mine AND until > clock_timestamp());
END
$$;
