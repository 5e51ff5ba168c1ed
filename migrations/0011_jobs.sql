-- What operators and the schedule ask for: who, why, how far it is and what came of it. Never
-- deleted: it is the history of what was done.

CREATE TABLE jobs (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind text NOT NULL CHECK (kind IN ('replay', 'reconciliation')),
    status text NOT NULL DEFAULT 'queued'
        CHECK (status IN ('queued', 'running', 'completed', 'failed', 'cancelled')),
    is_cancelled boolean NOT NULL DEFAULT false, -- asked to stop, while it still runs
    asked jsonb NOT NULL,
    who text NOT NULL,
    why text,
    created_time bigint NOT NULL,  -- epoch ms, as all times
    started_time bigint,
    finished_time bigint,
    progress jsonb NOT NULL DEFAULT '{}', -- from which it goes on where its worker was killed
    report jsonb NOT NULL DEFAULT '{}',
    error text
);
CREATE INDEX ON jobs (kind, id);
CREATE INDEX ON jobs (id) WHERE status IN ('queued', 'running');

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'projector_service') THEN
        GRANT SELECT, INSERT, UPDATE ON jobs TO projector_service;
    END IF;
END $$;
