-- Where the act came from: an address, `shell` or `service`; of acts before this it is not known. `personal`: the salted
-- digest of what stands in trail_personal.
ALTER TABLE trail ADD COLUMN origin TEXT, ADD COLUMN personal BYTEA;
ALTER TABLE trail ALTER COLUMN origin SET DEFAULT 'service';
-- An entry that is too large for the chain's text would stop the chain.
ALTER TABLE trail ADD CONSTRAINT ck_trail_bounded CHECK (
    octet_length(act) <= 100 AND octet_length(target_kind) <= 100 AND octet_length(target_id) <= 1000
    AND octet_length(unit_path) <= 10000 AND octet_length(origin) <= 100 AND octet_length(personal) = 32
    AND octet_length(details::text) <= 16777216) NOT VALID;

-- What an act on a person was before and after. Erasure deletes the row; the entry, with its digest, stays.
CREATE TABLE trail_personal (
    entry_id BIGINT NOT NULL,
    salt BYTEA NOT NULL,
    changes TEXT NOT NULL,
    CONSTRAINT pk_trail_personal PRIMARY KEY (entry_id),
    CONSTRAINT fk_trail_personal_entry_id_trail FOREIGN KEY (entry_id) REFERENCES trail (id)
);

CREATE TABLE trail_links (
    position BIGINT NOT NULL,
    entry_id BIGINT NOT NULL,
    digest BYTEA NOT NULL,
    at TIMESTAMPTZ NOT NULL,
    CONSTRAINT pk_trail_links PRIMARY KEY (position),
    CONSTRAINT uq_trail_links_entry_id UNIQUE (entry_id),
    CONSTRAINT fk_trail_links_entry_id_trail FOREIGN KEY (entry_id) REFERENCES trail (id)
);

-- The entries that have no link yet. Each comes here in the transaction that writes it, so that one which commits late,
-- with an id below those that are linked, is found as soon as it can be seen, however late that is.
CREATE TABLE trail_unlinked (
    entry_id BIGINT NOT NULL,
    CONSTRAINT pk_trail_unlinked PRIMARY KEY (entry_id)
);

CREATE FUNCTION queue_entry() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO public.trail_unlinked (entry_id) SELECT id FROM added;
    RETURN NULL;
END
$$;
CREATE TRIGGER queue_entry AFTER INSERT ON trail
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION queue_entry();

-- Links at most so many entries that have no link, and returns how many. Only this function writes links, as the owner:
-- whoever works as sms_app can have it called, and cannot forge a link. Two that call it at once get the same position;
-- one of them fails and tries again. docs/auditing.md says what is hashed; audit/verification.py does it once more.
CREATE FUNCTION link_trail(at_most integer) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    waiting BIGINT[];
    entry RECORD;
    place BIGINT := 0;
    head BYTEA := decode(repeat('00', 32), 'hex');
    linked_at TIMESTAMPTZ := '-infinity';
BEGIN
    -- An entry that is gone although it waits here was deleted behind the application's back: its row stays as a proof.
    WITH taken AS (
        DELETE FROM public.trail_unlinked WHERE entry_id IN (
            SELECT u.entry_id FROM public.trail_unlinked AS u JOIN public.trail AS t ON t.id = u.entry_id
            ORDER BY u.entry_id LIMIT at_most FOR UPDATE OF u)
        RETURNING entry_id
    )
    SELECT array_agg(entry_id) INTO waiting FROM taken;
    IF waiting IS NULL THEN
        RETURN 0;
    END IF;
    SELECT l."position", l.digest, l.at INTO entry FROM public.trail_links AS l ORDER BY l."position" DESC LIMIT 1;
    IF FOUND THEN
        place := entry."position";
        head := entry.digest;
        linked_at := entry.at;
    END IF;
    linked_at := greatest(clock_timestamp(), linked_at);  -- a server that was promoted may be a moment behind
    FOR entry IN SELECT * FROM public.trail WHERE id = ANY (waiting) ORDER BY id LOOP
        place := place + 1;
        head := sha256(head || convert_to(jsonb_build_array(
            linked_at AT TIME ZONE 'UTC', entry.id, entry.at AT TIME ZONE 'UTC', entry.account_id, entry.act,
            entry.target_kind, entry.target_id, entry.unit_path, entry.details::text, entry.origin,
            encode(entry.personal, 'hex'))::text, 'UTF8'));
        INSERT INTO public.trail_links VALUES (place, entry.id, head, linked_at);
    END LOOP;
    RETURN cardinality(waiting);
END
$$;
REVOKE ALL ON FUNCTION queue_entry(), link_trail(integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION link_trail(integer) TO sms_app;

-- The application gives neither id nor time of an entry, and changes none.
REVOKE INSERT ON trail FROM sms_app;
GRANT INSERT (account_id, act, target_kind, target_id, unit_path, details, origin, personal) ON trail TO sms_app;
REVOKE ALL ON SEQUENCE trail_id_seq FROM sms_app;
GRANT SELECT ON trail_links, trail_unlinked TO sms_app;
GRANT SELECT, INSERT, DELETE ON trail_personal TO sms_app;
