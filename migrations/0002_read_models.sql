-- The read models: what the log means. All of it can be made again from the log, except one table:
-- skipped has the decisions of operators.
--
-- Subjects are spread over 256 buckets, and 16 buckets are a partition. The transaction that locks
-- a partition's row folds its next batch. Rows that a late event replaces stay: known_from and
-- known_to are the positions of the requests between which a row was known. A null known_to means
-- that the row is still known.

-- How far each partition has folded the log.
CREATE TABLE projections (
    name text NOT NULL,
    partition smallint NOT NULL CHECK (partition BETWEEN 0 AND 15),
    position bigint NOT NULL DEFAULT 0,
    counted_position bigint NOT NULL DEFAULT 0,  -- up to here bucket_counts.stored counts
    fold_version integer NOT NULL DEFAULT 1,     -- a runner of another version folds nothing here
    PRIMARY KEY (name, partition)
) WITH (fillfactor = 50);
INSERT INTO projections (name, partition)
    SELECT 'floor', partition FROM generate_series(0, 15) AS partition;

-- Per bucket: its events as the log counts them and as they were folded (a difference is a skip),
-- and how many rows its subjects have in two ledgers (anomalies without those of time alone).
CREATE TABLE bucket_counts (
    name text NOT NULL,
    kind text COLLATE "C" NOT NULL,
    bucket smallint NOT NULL CHECK (bucket BETWEEN 0 AND 255),
    stored bigint NOT NULL DEFAULT 0,
    projected bigint NOT NULL DEFAULT 0,
    anomalies bigint NOT NULL DEFAULT 0,
    corrections bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (name, kind, bucket)
) WITH (fillfactor = 50);
INSERT INTO bucket_counts (name, kind, bucket)
    SELECT 'floor', kind, bucket
    FROM unnest(ARRAY['agents', 'tasks']) AS kind, generate_series(0, 255) AS bucket;

-- The folded state of each agent, and the facets by which lists find it. Where time alone will
-- change the view, deadline says when, and lists find it by facets_after_deadline from then on.
CREATE TABLE agents (
    org_id text COLLATE "C" NOT NULL,
    id text COLLATE "C" NOT NULL,
    partition smallint NOT NULL,
    position bigint NOT NULL,            -- of the last event to arrive
    state text NOT NULL,                 -- without the counters
    counters jsonb NOT NULL,
    facets jsonb NOT NULL,
    deadline bigint,                     -- epoch ms, as all times
    facets_after_deadline jsonb,
    last_event_time bigint NOT NULL,     -- of the last event in order
    last_event_type text NOT NULL,
    first_event_time bigint NOT NULL,
    last_recorded_time bigint NOT NULL,  -- of the last event to arrive
    max_clock_lead_ms bigint NOT NULL,   -- how far an event's time was after its recorded time
    max_lateness_ms bigint NOT NULL,     -- how far an event's time was before its recorded time
    kpi_facts bigint[],                  -- of a task: the fields of metrics.KpiFacts in their order
    PRIMARY KEY (org_id, id)
);
CREATE INDEX ON agents (id);  -- for queries without an organisation
CREATE INDEX ON agents (last_event_time DESC, org_id, id);
CREATE INDEX ON agents (partition, position);  -- what changed since a position

CREATE TABLE tasks (LIKE agents INCLUDING ALL);

-- jsonb_path_ops stores hashes, so values of any length can be indexed.
CREATE INDEX tasks_by_facet ON tasks USING gin (facets jsonb_path_ops);
CREATE INDEX tasks_by_facet_after_deadline ON tasks
    USING gin (facets_after_deadline jsonb_path_ops) WHERE facets_after_deadline IS NOT NULL;
-- Tasks of which something happened or became known in a period.
CREATE INDEX tasks_by_period ON tasks
    USING gist (int8range(first_event_time, greatest(last_event_time, last_recorded_time), '[]'));

-- An interval stores its start. Its end is the start of the next one, so no two overlap and none is
-- missing between two others.
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
    UNIQUE NULLS NOT DISTINCT (org_id, id, start, known_to)  -- one row is known now for each start
);
CREATE TABLE task_intervals (LIKE agent_intervals INCLUDING ALL);

-- A snapshot: the state after all events up to a time. Late events and questions about the past are
-- folded from here.
CREATE TABLE agent_snapshots (
    org_id text COLLATE "C" NOT NULL,
    id text COLLATE "C" NOT NULL,
    time bigint NOT NULL,
    known_from bigint NOT NULL,
    known_to bigint CHECK (known_to > known_from),
    state text NOT NULL,
    counters jsonb NOT NULL,  -- as counted at known_from
    UNIQUE NULLS NOT DISTINCT (org_id, id, time, known_to)
);
CREATE TABLE task_snapshots (LIKE agent_snapshots INCLUDING ALL);

-- What late events add to the counters of later snapshots. Readers add it, so that a late event
-- writes one row and not one per snapshot.
CREATE TABLE agent_late_counts (
    org_id text COLLATE "C" NOT NULL,
    id text COLLATE "C" NOT NULL,
    time bigint NOT NULL,        -- it counts at snapshots of this time and later,
    known_from bigint NOT NULL,  -- and of those at the ones that were known before
    added jsonb NOT NULL,
    PRIMARY KEY (org_id, id, time, known_from)
);
CREATE TABLE task_late_counts (LIKE agent_late_counts INCLUDING ALL);

-- Events that did not fit the state of their subject. Position 0 is the passing of time: such a row
-- is written before its time (gap_to) has come, and readers leave it out until then.
CREATE TABLE agent_anomalies (
    org_id text COLLATE "C" NOT NULL,
    id text COLLATE "C" NOT NULL,
    position bigint NOT NULL,
    kind text NOT NULL,
    event_id text COLLATE "C",
    gap_from bigint,           -- null: nothing is known before
    gap_to bigint NOT NULL,
    PRIMARY KEY (org_id, id, position),
    CHECK ((position = 0) = (event_id IS NULL))
);
CREATE INDEX ON agent_anomalies (gap_to, org_id, id, position);
CREATE TABLE task_anomalies (LIKE agent_anomalies INCLUDING ALL);

-- What the late events of a request changed of what had been shown.
CREATE TABLE agent_corrections (
    org_id text COLLATE "C" NOT NULL,
    id text COLLATE "C" NOT NULL,
    position bigint NOT NULL,  -- of the request
    start bigint NOT NULL,
    finish bigint,             -- null: still
    partition smallint NOT NULL,
    recorded_time bigint NOT NULL,
    event_id text COLLATE "C" NOT NULL,
    before jsonb NOT NULL,
    after jsonb NOT NULL,
    events jsonb NOT NULL,
    PRIMARY KEY (org_id, id, position, start)
);
CREATE INDEX ON agent_corrections (start, org_id, id, position);
CREATE INDEX ON agent_corrections (partition, position);
CREATE TABLE task_corrections (LIKE agent_corrections INCLUDING ALL);

-- Subjects with an event that cannot be folded: that event and the later ones wait.
CREATE TABLE parked (
    kind text COLLATE "C" NOT NULL,
    org_id text COLLATE "C" NOT NULL,
    id text COLLATE "C" NOT NULL,
    bucket smallint NOT NULL,
    position bigint NOT NULL,        -- the subject's events from here on wait
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

-- How long after they happened the events of each type arrived: a histogram whose buckets are a
-- quarter of an octave of milliseconds wide, and the position up to which it counts.
CREATE TABLE arrival_delays (
    type text COLLATE "C" NOT NULL,
    bucket smallint NOT NULL,
    events bigint NOT NULL,
    PRIMARY KEY (type, bucket)
) WITH (fillfactor = 50);
CREATE TABLE arrival_delays_checkpoint (position bigint NOT NULL);
INSERT INTO arrival_delays_checkpoint VALUES (0);

-- Promise: the partitions in the answer are locked by the caller's transaction, all have the
-- position "after", and the batch that ends at "last" ends with a whole request.
--
-- It locks the partitions furthest behind that nobody else has locked, at most max_partitions, and
-- answers those of the lowest position. The batch ends at the position of the others, or about
-- batch_events further. No partitions: others have locked them all. has_hole: a position is missing
-- and must not be passed. has_exclusions: some subject is parked or some event is skipped.
CREATE FUNCTION begin_batch(
    projection text, max_partitions integer, batch_events bigint,
    OUT partitions smallint[], OUT after bigint, OUT last bigint, OUT has_hole boolean,
    OUT has_exclusions boolean
)
LANGUAGE plpgsql AS $$
DECLARE
    next bigint;
BEGIN
    WITH locked AS MATERIALIZED (
        SELECT p.partition, p.position FROM projections p WHERE p.name = projection
        ORDER BY p.position, p.partition LIMIT max_partitions FOR UPDATE SKIP LOCKED
    ), lowest AS (
        SELECT min(l.position) AS position FROM locked l
    )
    SELECT array_agg(l.partition) FILTER (WHERE l.position = m.position), m.position,
        min(l.position) FILTER (WHERE l.position > m.position)
    INTO partitions, after, next
    FROM locked l, lowest m GROUP BY m.position;
    IF partitions IS NULL THEN
        RETURN;
    END IF;
    last := least(after + batch_events, next);
    -- A body is as large as its sender likes: a batch has about 32 MB of bodies at most.
    IF last > after + 50 THEN
        last := coalesce((
            SELECT min(e.position) FROM (
                SELECT l.position, sum(octet_length(l.body)) OVER (ORDER BY l.position) AS bytes
                FROM log l WHERE l.position > after AND l.position <= last
            ) AS e WHERE e.bytes > 33554432
        ), last);
    END IF;
    last := coalesce(
        (SELECT l.position - 1 FROM log l
            WHERE l.position > last AND l.request_position > last
            ORDER BY l.position LIMIT 1),
        (SELECT max(l.position) FROM log l),
        0);
    has_hole := last - after <> (
        SELECT count(*) FROM log l WHERE l.position > after AND l.position <= last
    );
    has_exclusions := EXISTS (SELECT FROM parked) OR EXISTS (SELECT FROM skipped);
END $$;

-- Promise: after the commit the partitions have the position of the end of the batch, bucket_counts
-- has what was folded of each bucket, and listeners are notified. The log's events are counted from
-- where they were last counted, whatever the batch was. So a position that was moved without
-- folding shows as a difference of stored and projected.
CREATE FUNCTION end_batch(
    projection text, locked smallint[], last bigint,
    kinds text[], buckets smallint[], folded bigint[]
) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    since bigint[];  -- by partition: its events after this position are not counted yet
BEGIN
    SELECT array_agg(CASE WHEN p.partition = ANY(locked) THEN p.counted_position ELSE last END
        ORDER BY p.partition)
    INTO since FROM projections p WHERE p.name = projection;
    UPDATE bucket_counts c
    SET stored = c.stored + n.stored, projected = c.projected + n.projected
    FROM (
        SELECT e.kind, e.bucket, sum(e.stored) AS stored, sum(e.projected) AS projected
        FROM (
            SELECT 'agents' AS kind, l.agent_bucket AS bucket, 1 AS stored, 0 AS projected
            FROM log l
            WHERE l.position > (SELECT min(at) FROM unnest(since) AS at)
                AND l.position <= last AND l.position > since[l.agent_bucket / 16 + 1]
            UNION ALL
            SELECT 'tasks', l.task_bucket, 1, 0
            FROM log l
            WHERE l.position > (SELECT min(at) FROM unnest(since) AS at)
                AND l.position <= last AND l.position > since[l.task_bucket / 16 + 1]
            UNION ALL
            SELECT f.kind, f.bucket, 0, f.folded
            FROM unnest(kinds, buckets, folded) AS f(kind, bucket, folded)
        ) AS e GROUP BY e.kind, e.bucket
    ) AS n
    WHERE c.name = projection AND c.kind = n.kind AND c.bucket = n.bucket;
    UPDATE projections p SET position = last, counted_position = last
    WHERE p.name = projection AND p.partition = ANY(locked);
    PERFORM pg_notify('projector_views', last::text);
END $$;

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'projector_service') THEN
        GRANT SELECT, INSERT, UPDATE, DELETE ON projections, bucket_counts, agents, tasks,
            agent_intervals, task_intervals, agent_snapshots, task_snapshots, agent_late_counts,
            task_late_counts, agent_anomalies, task_anomalies, agent_corrections,
            task_corrections, parked, arrival_delays, arrival_delays_checkpoint
            TO projector_service;
        GRANT SELECT, INSERT ON skipped TO projector_service;
    END IF;
END $$;
