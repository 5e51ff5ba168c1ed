-- Tokens that were made with `projector tokens create`. A token itself is nowhere, only its SHA-256.
-- Times are epoch ms.
--
-- The release before this one may go on folding and serving: it reads and writes none of this, and
-- does not admit these tokens.

CREATE TABLE tokens (
    sha256 bytea PRIMARY KEY CHECK (octet_length(sha256) = 32),
    role text COLLATE "C" NOT NULL CHECK (role IN ('viewer', 'auditor', 'operator')),
    org_ids text[],              -- null: all organisations
    team_ids text[],             -- null: all teams
    note text NOT NULL,          -- what it is for
    created_time bigint NOT NULL,
    expires_time bigint,         -- null: it does not expire
    revoked_time bigint,         -- null: it was not taken back
    last_used_time bigint        -- exact to a minute; null: it was not used
);

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'projector_service') THEN
        GRANT SELECT, UPDATE (last_used_time) ON tokens TO projector_service;
    END IF;
END $$;
