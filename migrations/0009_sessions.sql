-- Sessions: who has signed in with a token and has a cookie for it. Neither the token nor the random
-- id in the cookie is here, only their SHA-256. Times are epoch ms.
--
-- The release before this one may go on folding and serving: it reads and writes none of this.

CREATE TABLE sessions (
    id_sha256 bytea PRIMARY KEY CHECK (octet_length(id_sha256) = 32),
    token_sha256 bytea NOT NULL CHECK (octet_length(token_sha256) = 32),
    -- A person's session also ends without use. A wall's only looks, and ends by its expiry.
    kind text COLLATE "C" NOT NULL CHECK (kind IN ('person', 'wall')),
    created_time bigint NOT NULL,
    last_used_time bigint NOT NULL,
    expires_time bigint NOT NULL
);
CREATE INDEX sessions_by_token ON sessions (token_sha256);

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'projector_service') THEN
        GRANT SELECT, INSERT, UPDATE (last_used_time), DELETE ON sessions TO projector_service;
    END IF;
END $$;
