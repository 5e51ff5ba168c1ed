-- The directory: what people call the vendor's ids. It is for readers only: neither the log nor any
-- fold knows it, so a changed name changes no history. Times are epoch ms.
--
-- The release before this one may go on folding and serving: it reads and writes none of this.

CREATE TABLE names (
    org_id text COLLATE "C" NOT NULL,
    kind text COLLATE "C" NOT NULL CHECK (kind IN (
        'agent', 'team', 'queue', 'site', 'idleCode', 'wrapUpCode', 'entryPoint'
    )),
    id text COLLATE "C" NOT NULL,
    -- The operator's word counts more than the vendor's configuration, and that more than rows.
    source text COLLATE "C" NOT NULL CHECK (source IN ('import', 'configuration', 'rows')),
    name text NOT NULL CHECK (name <> ''),
    updated_time bigint NOT NULL,
    PRIMARY KEY (org_id, kind, id, source)
);

-- The name that counts of each id.
CREATE VIEW known_names WITH (security_invoker = true) AS
    SELECT DISTINCT ON (org_id, kind, id) org_id, kind, id, name, source, updated_time
    FROM names
    ORDER BY org_id, kind, id, CASE source WHEN 'import' THEN 0 WHEN 'configuration' THEN 1 ELSE 2 END;

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'projector_service') THEN
        GRANT SELECT, INSERT, UPDATE, DELETE ON names TO projector_service;
        GRANT SELECT ON known_names TO projector_service;
    END IF;
END $$;
