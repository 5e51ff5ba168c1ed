-- What changed views without a new position of the log: by it open streams learn of it, and those
-- that resume. Whoever writes a row holds the lock of its partition's row in projections. So of one
-- partition the numbers become visible in their order. Rows older than a day may be deleted.
--
-- The release before this one may go on folding and serving: it reads and writes none of this.

CREATE TABLE refolded (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    partition smallint NOT NULL,
    position bigint NOT NULL,    -- up to which the partition was folded then
    kind text COLLATE "C",       -- null: other tables serve since then, so anything may be changed
    org_id text COLLATE "C",
    id text COLLATE "C",
    before jsonb,                -- facets, later_facets, teams and position; null: there was no view
    refolded_time bigint NOT NULL,
    CHECK ((kind IS NULL) = (id IS NULL) AND (kind IS NULL) = (org_id IS NULL))
);
CREATE INDEX ON refolded (partition, number);
CREATE INDEX ON refolded (position);
CREATE INDEX ON refolded (refolded_time);

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'projector_service') THEN
        GRANT SELECT, INSERT, UPDATE, DELETE ON refolded TO projector_service;
    END IF;
END $$;
