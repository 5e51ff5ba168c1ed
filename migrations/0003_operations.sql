-- Operations: the jobs of operators and of the schedule, and what we know of the vendor's side.

-- Jobs: who wanted what and why, how far it is, and its result. Jobs are never deleted: they are
-- the history of operations. After its worker was killed, a job goes on from progress.
CREATE TABLE jobs (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind text NOT NULL CHECK (kind IN ('replay', 'reconciliation')),
    status text NOT NULL DEFAULT 'queued'
        CHECK (status IN (
            'queued', 'running', 'completed', 'incomplete', 'failed', 'cancelled'
        )),
    is_cancelled boolean NOT NULL DEFAULT false,  -- it is to stop, and may still run
    parameters jsonb NOT NULL,
    who text NOT NULL,
    why text,
    created_time bigint NOT NULL,  -- epoch ms, as all times
    started_time bigint,
    finished_time bigint,
    progress jsonb NOT NULL DEFAULT '{}',
    report jsonb NOT NULL DEFAULT '{}',
    error text
);
CREATE INDEX ON jobs (kind, id);
CREATE INDEX ON jobs (id) WHERE status IN ('queued', 'running');

-- Time windows [start, finish) that a reconciliation has compared completely: the log has all that
-- the vendor knows of them.
CREATE TABLE reconciled_windows (
    job bigint PRIMARY KEY,
    org_id text COLLATE "C" NOT NULL,
    start bigint NOT NULL,
    finish bigint NOT NULL CHECK (finish > start),
    recorded_time bigint NOT NULL  -- at which it was completed
);
CREATE INDEX ON reconciled_windows (org_id, start);

-- Deliveries of each subscription by hour: they show whether silence is a fault or a quiet hour.
CREATE TABLE delivery_hours (
    subscription text COLLATE "C" NOT NULL,
    hour bigint NOT NULL,        -- since the epoch
    deliveries bigint NOT NULL,
    last_time bigint NOT NULL,
    PRIMARY KEY (subscription, hour)
);

-- Subscriptions as the vendor described them at checked_time.
CREATE TABLE subscriptions (
    id text COLLATE "C" PRIMARY KEY,
    name text NOT NULL,
    resource_version text NOT NULL,
    status text NOT NULL,           -- active or inactive
    checked_time bigint NOT NULL
);

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'projector_service') THEN
        GRANT SELECT, INSERT, UPDATE ON jobs TO projector_service;
        GRANT SELECT, INSERT ON reconciled_windows TO projector_service;
        GRANT SELECT, INSERT, UPDATE, DELETE ON delivery_hours, subscriptions
            TO projector_service;
    END IF;
END $$;
