-- Derived tables made anew: late events repair what they disturb, and nothing shown is overwritten.
--
-- The work is divided into 16 lanes of 16 buckets each; whoever holds a lane's row folds its next
-- page. An interval stores its start, its end is the next one's start; known_from and known_to are
-- the positions of the requests between which it was known, and a null known_to says that it stands.

DROP TABLE agents, tasks, agent_intervals, task_intervals, projections;
TRUNCATE agent_anomalies, task_anomalies;

CREATE TABLE projections (
    name text NOT NULL,
    lane smallint NOT NULL CHECK (lane BETWEEN 0 AND 15),
    position bigint NOT NULL DEFAULT 0,
    counted bigint NOT NULL DEFAULT 0,  -- up to here bucket_counts has what is stored
    PRIMARY KEY (name, lane)
) WITH (fillfactor = 50);
INSERT INTO projections (name, lane) SELECT 'floor', lane FROM generate_series(0, 15) AS lane;

-- Events of each bucket, as the log counts them and as they were folded: a difference is a skip.
CREATE TABLE bucket_counts (
    name text NOT NULL,
    kind text COLLATE "C" NOT NULL,
    bucket smallint NOT NULL CHECK (bucket BETWEEN 0 AND 255),
    stored bigint NOT NULL DEFAULT 0,
    projected bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (name, kind, bucket)
) WITH (fillfactor = 50);
INSERT INTO bucket_counts (name, kind, bucket)
    SELECT 'floor', kind, bucket
    FROM unnest(ARRAY['agents', 'tasks']) AS kind, generate_series(0, 255) AS bucket;

CREATE TABLE agents (
    org_id text COLLATE "C" NOT NULL,
    id text COLLATE "C" NOT NULL,
    lane smallint NOT NULL,
    position bigint NOT NULL,  -- of its last event to arrive
    state text NOT NULL,       -- all but the tally
    tally jsonb NOT NULL,
    facets jsonb NOT NULL,
    due bigint,
    due_facets jsonb,
    changed bigint NOT NULL,   -- the time of the last event folded, epoch ms
    PRIMARY KEY (org_id, id)
);
CREATE INDEX ON agents (id);  -- a subject may be asked for without its organisation
CREATE INDEX ON agents (changed DESC, org_id, id);
CREATE INDEX ON agents (lane, position);  -- what changed since a reader looked

CREATE TABLE tasks (LIKE agents INCLUDING ALL);

-- jsonb_path_ops keeps hashes, so values of any length can be indexed.
CREATE INDEX tasks_by_facet ON tasks USING gin (facets jsonb_path_ops);
CREATE INDEX tasks_by_due_facet ON tasks USING gin (due_facets jsonb_path_ops)
    WHERE due_facets IS NOT NULL;

CREATE TABLE agent_intervals (
    org_id text COLLATE "C" NOT NULL,
    id text COLLATE "C" NOT NULL,
    start bigint NOT NULL,
    known_from bigint NOT NULL,
    known_to bigint CHECK (known_to > known_from),
    status text NOT NULL,
    current_state text NOT NULL,
    task_id text,
    queue_id text,
    idle_code_id text,
    event_id text,
    UNIQUE NULLS NOT DISTINCT (org_id, id, start, known_to)  -- so one row stands for each start
);
CREATE TABLE task_intervals (LIKE agent_intervals INCLUDING ALL);

-- The state after all events up to a time, from which a late event is folded in.
CREATE TABLE agent_checkpoints (
    org_id text COLLATE "C" NOT NULL,
    id text COLLATE "C" NOT NULL,
    time bigint NOT NULL,
    state text NOT NULL,
    tally jsonb NOT NULL,
    PRIMARY KEY (org_id, id, time)
);
CREATE TABLE task_checkpoints (LIKE agent_checkpoints INCLUDING ALL);

-- What the late events of a request changed of what had been shown.
CREATE TABLE agent_corrections (
    org_id text COLLATE "C" NOT NULL,
    id text COLLATE "C" NOT NULL,
    position bigint NOT NULL,  -- of the request
    start bigint NOT NULL,
    finish bigint,             -- null: to this day
    lane smallint NOT NULL,
    recorded_time bigint NOT NULL,
    event_id text COLLATE "C" NOT NULL,
    before jsonb NOT NULL,
    after jsonb NOT NULL,
    events jsonb NOT NULL,
    PRIMARY KEY (org_id, id, position, start)
);
CREATE INDEX ON agent_corrections (start, org_id, id, position);
CREATE INDEX ON agent_corrections (lane, position);
CREATE TABLE task_corrections (LIKE agent_corrections INCLUDING ALL);

-- Subjects whose next event cannot be folded: it and those after it wait.
CREATE TABLE parked (
    kind text COLLATE "C" NOT NULL,
    org_id text COLLATE "C" NOT NULL,
    id text COLLATE "C" NOT NULL,
    bucket smallint NOT NULL,
    position bigint NOT NULL,        -- from here on the subject waits
    event_position bigint NOT NULL,  -- of the event that cannot be folded
    cause text NOT NULL,
    parked_time bigint NOT NULL,
    PRIMARY KEY (kind, org_id, id)
);
-- Events that an operator left out of one subject; they stay in the log.
CREATE TABLE skipped (
    kind text COLLATE "C" NOT NULL,
    position bigint NOT NULL,
    cause text NOT NULL,
    skipped_time bigint NOT NULL,
    PRIMARY KEY (kind, position)
);

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'projector_service') THEN
        GRANT SELECT, INSERT, UPDATE, DELETE ON projections, bucket_counts, agents, tasks,
            agent_intervals, task_intervals, agent_checkpoints, task_checkpoints,
            agent_corrections, task_corrections, parked TO projector_service;
        GRANT SELECT, INSERT ON skipped TO projector_service;
    END IF;
END $$;
