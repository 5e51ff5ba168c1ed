-- States as they were known: a checkpoint stands between two positions, as an interval does, and
-- what a late event counts is a row, added to the checkpoints after it that were known before.
-- So a view as of any two times is a look-up and a fold of what came since the checkpoint.

DROP TABLE agent_checkpoints, task_checkpoints;
TRUNCATE agents, tasks, agent_intervals, task_intervals, agent_anomalies, task_anomalies,
    agent_corrections, task_corrections, parked;
UPDATE projections SET position = 0, counted = 0;
UPDATE bucket_counts SET stored = 0, projected = 0;

ALTER TABLE agents
    ADD newest text NOT NULL,     -- the type of the last event folded
    ADD began bigint NOT NULL,    -- the time of its first event, epoch ms
    ADD arrived bigint NOT NULL,  -- the recorded time of its last event to arrive, epoch ms
    ADD ahead bigint NOT NULL,    -- how far an event's time was after its recorded time at most, ms
    ADD behind bigint NOT NULL,   -- and how far before it
    ADD contact bigint[];         -- of a task: the fields of figures.Contact in their order
ALTER TABLE tasks
    ADD newest text NOT NULL, ADD began bigint NOT NULL, ADD arrived bigint NOT NULL,
    ADD ahead bigint NOT NULL, ADD behind bigint NOT NULL, ADD contact bigint[];

-- Tasks of which something happened or was learned in a stretch of time.
CREATE INDEX tasks_by_life ON tasks
    USING gist (int8range(began, greatest(changed, arrived), '[]'));

CREATE TABLE agent_checkpoints (
    org_id text COLLATE "C" NOT NULL,
    id text COLLATE "C" NOT NULL,
    time bigint NOT NULL,
    known_from bigint NOT NULL,
    known_to bigint CHECK (known_to > known_from),
    state text NOT NULL,
    tally jsonb NOT NULL,  -- as counted at known_from
    UNIQUE NULLS NOT DISTINCT (org_id, id, time, known_to)
);
CREATE TABLE task_checkpoints (LIKE agent_checkpoints INCLUDING ALL);

CREATE TABLE agent_late_counts (
    org_id text COLLATE "C" NOT NULL,
    id text COLLATE "C" NOT NULL,
    time bigint NOT NULL,        -- from here on it counts
    known_from bigint NOT NULL,  -- at checkpoints that were known before
    added jsonb NOT NULL,
    PRIMARY KEY (org_id, id, time, known_from)
);
CREATE TABLE task_late_counts (LIKE agent_late_counts INCLUDING ALL);

-- How long after they happened events of a type arrived: a bucket is a quarter of an octave of ms.
CREATE TABLE arrival_delays (
    type text COLLATE "C" NOT NULL,
    bucket smallint NOT NULL,
    events bigint NOT NULL,
    PRIMARY KEY (type, bucket)
) WITH (fillfactor = 50);
CREATE TABLE delays_counted (position bigint NOT NULL);
INSERT INTO delays_counted VALUES (0);

-- The last position that was recorded up to a moment: positions have no holes, and recorded time
-- never falls along them. Where nothing was recorded later yet, whoever appends now is waited for.
CREATE FUNCTION position_at(moment bigint) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    low bigint := 0;
    high bigint;
    middle bigint;
BEGIN
    IF NOT EXISTS (SELECT FROM events WHERE recorded_time > moment
            AND notification_id = (SELECT max(notification_id) FROM events)) THEN
        PERFORM pg_advisory_xact_lock_shared(hashtextextended('projector.events', 0));
    END IF;
    high := (SELECT coalesce(max(notification_id), 0) FROM events);
    WHILE low < high LOOP
        middle := (low + high + 1) / 2;
        IF (SELECT recorded_time <= moment FROM events WHERE notification_id = middle) THEN
            low := middle;
        ELSE
            high := middle - 1;
        END IF;
    END LOOP;
    RETURN low;
END $$;

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'projector_service') THEN
        GRANT SELECT, INSERT, UPDATE, DELETE ON agent_checkpoints, task_checkpoints,
            agent_late_counts, task_late_counts, arrival_delays, delays_counted
            TO projector_service;
    END IF;
END $$;
