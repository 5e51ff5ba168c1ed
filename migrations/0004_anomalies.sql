-- What was not expected of a subject, by the event that told it; position 0 is the passing of time.
-- A row of time stands there before its moment (gap_to) has come: readers leave it out until then.

CREATE TABLE agent_anomalies (
    org_id text COLLATE "C" NOT NULL,
    id text COLLATE "C" NOT NULL,
    position bigint NOT NULL,
    kind text NOT NULL,
    event_id text COLLATE "C",
    gap_from bigint,           -- epoch ms; null: nothing is known before
    gap_to bigint NOT NULL,    -- epoch ms
    PRIMARY KEY (org_id, id, position),
    CHECK ((position = 0) = (event_id IS NULL))
);
CREATE INDEX ON agent_anomalies (gap_to, org_id, id, position);

CREATE TABLE task_anomalies (LIKE agent_anomalies INCLUDING ALL);

-- What is folded already is folded again, this time with its anomalies.
TRUNCATE agents, tasks, agent_intervals, task_intervals;
UPDATE projections SET position = 0, recorded_time = NULL;

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'projector_service') THEN
        GRANT SELECT, INSERT, UPDATE, DELETE ON agent_anomalies, task_anomalies
            TO projector_service;
    END IF;
END $$;
