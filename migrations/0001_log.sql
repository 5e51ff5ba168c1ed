-- The log: every event once, in the order of its commit, never changed.
--
-- Positions have no holes and commit in order, since append_events holds one lock from the reading
-- of the head to the commit; so a reader that follows them skips nothing. Recorded time never falls
-- along them. Only the five names (organisation, type, id, agent, task) are bounded, so only they
-- are indexed as they are.

CREATE TABLE events (
    org_id text COLLATE "C" NOT NULL,
    originator_id uuid NOT NULL,                    -- the event's key
    originator_version bigint NOT NULL DEFAULT 1,   -- one stream per event
    topic text COLLATE "C" NOT NULL,                -- the event's type
    state bytea NOT NULL,                           -- the body as received
    notification_id bigint NOT NULL,                -- the position
    event_id text COLLATE "C" NOT NULL,
    agent_id text COLLATE "C",
    task_id text COLLATE "C",
    created_time bigint,                            -- epoch ms, as the vendor says
    time bigint NOT NULL,                           -- epoch ms, by time_source
    time_source text NOT NULL CHECK (time_source IN ('created', 'dispatched', 'recorded')),
    origin text NOT NULL CHECK (origin IN ('webhook', 'reconciliation', 'import')),
    recorded_time bigint NOT NULL,                  -- epoch ms
    request_position bigint NOT NULL,               -- where the events of its request begin
    agent_bucket smallint CHECK (agent_bucket BETWEEN 0 AND 255),  -- null: no part of an agent
    task_bucket smallint CHECK (task_bucket BETWEEN 0 AND 255),    -- null: no part of a task
    fingerprint bytea NOT NULL,                     -- tells a duplicate from a conflict
    seal_segment bigint GENERATED ALWAYS AS ((notification_id - 1) / 4096) STORED,
    PRIMARY KEY (originator_id, originator_version, org_id)
);

CREATE UNIQUE INDEX events_position ON events (notification_id, org_id);
CREATE INDEX events_of_agent ON events (org_id, agent_id, time) WHERE agent_bucket IS NOT NULL;
CREATE INDEX events_of_task ON events (org_id, task_id, time) WHERE task_bucket IS NOT NULL;

-- The library looks this type up when it starts.
CREATE TYPE stored_event_uuid AS (
    originator_id uuid, originator_version bigint, topic text, state bytea
);

-- One row for each delivery of an event that the log had already.
CREATE TABLE duplicates (
    org_id text COLLATE "C" NOT NULL,
    position bigint NOT NULL,
    recorded_time bigint NOT NULL
);
CREATE INDEX duplicates_of_event ON duplicates (org_id, position);

-- Deliveries that say something else under a key that the log had already; each body once.
CREATE TABLE conflicts (
    org_id text COLLATE "C" NOT NULL,
    position bigint NOT NULL,       -- of the event that was first
    sha256 bytea NOT NULL,
    body bytea NOT NULL,
    deliveries bigint NOT NULL,
    first_time bigint NOT NULL,
    last_time bigint NOT NULL,
    PRIMARY KEY (org_id, position, sha256)
);

-- Authentic bodies that make no event; each once. They may have no organisation.
CREATE TABLE quarantine (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    sha256 bytea NOT NULL UNIQUE,
    body bytea NOT NULL,
    reason text NOT NULL,
    headers jsonb NOT NULL,         -- of the first delivery
    deliveries bigint NOT NULL,
    first_time bigint NOT NULL,
    last_time bigint NOT NULL
);

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the log is never changed: % on % is refused', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'insufficient_privilege';
END $$;

CREATE TRIGGER immutable BEFORE UPDATE OR DELETE OR TRUNCATE ON events
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER immutable BEFORE UPDATE OR DELETE OR TRUNCATE ON duplicates
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- Append what is new of the offered events, one element of each array an event, in order.
-- Of each it answers what became of it and the position of the event that it is; then the head.
-- The statement is large, so it is planned once a session, not for each call. The look-up is a
-- lateral one without sequential scans: a plan made while the log was empty must still use the
-- index when it is full.
CREATE FUNCTION append_events(
    keys uuid[], org_ids text[], topics text[], event_ids text[], bodies bytea[],
    agent_ids text[], task_ids text[], created_times bigint[], times bigint[],
    time_sources text[], origins text[], agent_buckets smallint[], task_buckets smallint[],
    fingerprints bytea[], requests integer[], versions bigint[], now_ms bigint,
    OUT outcomes text[], OUT positions bigint[], OUT head bigint
)
LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off
AS $$
DECLARE
    recorded bigint;
    before bigint;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('projector.events', 0));
    SELECT e.notification_id, e.recorded_time INTO before, recorded
        FROM events e ORDER BY e.notification_id DESC LIMIT 1;
    before := coalesce(before, 0);
    recorded := greatest(recorded, now_ms);

    WITH offered AS MATERIALIZED (
        SELECT o.*, e.position AS known_position, e.fingerprint AS known_fingerprint,
            min(o.ordinal) OVER (PARTITION BY o.key, o.version, o.org_id) AS first_ordinal
        FROM unnest(
            keys, org_ids, topics, event_ids, bodies, agent_ids, task_ids, created_times, times,
            time_sources, origins, agent_buckets, task_buckets, fingerprints, requests, versions
        ) WITH ORDINALITY AS o(
            key, org_id, topic, event_id, body, agent_id, task_id, created_time, time,
            time_source, origin, agent_bucket, task_bucket, fingerprint, request, version, ordinal
        )
        LEFT JOIN LATERAL (
            SELECT e.notification_id AS position, e.fingerprint FROM events e
            WHERE e.originator_id = o.key AND e.originator_version = o.version
                AND e.org_id = o.org_id
            LIMIT 1
        ) e ON true
    ), placed AS MATERIALIZED (
        SELECT o.*, before + row_number() OVER (ORDER BY o.ordinal) AS position
        FROM offered o WHERE o.known_position IS NULL AND o.ordinal = o.first_ordinal
    ), appended AS (
        INSERT INTO events (
            org_id, originator_id, originator_version, topic, state, notification_id, event_id,
            agent_id, task_id, created_time, time, time_source, origin, recorded_time,
            request_position, agent_bucket, task_bucket, fingerprint
        )
        SELECT p.org_id, p.key, p.version, p.topic, p.body, p.position, p.event_id,
            p.agent_id, p.task_id, p.created_time, coalesce(p.time, recorded), p.time_source,
            p.origin, recorded, min(p.position) OVER (PARTITION BY p.request),
            p.agent_bucket, p.task_bucket, p.fingerprint
        FROM placed p
    ), judged AS MATERIALIZED (
        SELECT o.ordinal, o.org_id, o.body, coalesce(o.known_position, p.position) AS position,
            CASE WHEN p.ordinal = o.ordinal THEN 'appended'
                WHEN coalesce(o.known_fingerprint, p.fingerprint) = o.fingerprint THEN 'duplicate'
                ELSE 'conflict' END AS outcome
        FROM offered o LEFT JOIN placed p ON p.ordinal = o.first_ordinal
    ), repeated AS (
        INSERT INTO duplicates
        SELECT j.org_id, j.position, recorded FROM judged j WHERE j.outcome = 'duplicate'
    ), disputed AS (
        INSERT INTO conflicts AS c
        SELECT j.org_id, j.position, sha256(j.body), j.body, count(*), recorded, recorded
        FROM judged j WHERE j.outcome = 'conflict' GROUP BY j.org_id, j.position, j.body
        ON CONFLICT ON CONSTRAINT conflicts_pkey
        DO UPDATE SET deliveries = c.deliveries + excluded.deliveries,
            last_time = excluded.last_time
    )
    SELECT array_agg(j.outcome ORDER BY j.ordinal), array_agg(j.position ORDER BY j.ordinal),
        greatest(before, max(j.position))
    INTO outcomes, positions, head
    FROM judged j;

    IF head > before THEN
        PERFORM pg_notify('projector_events', head::text);
    END IF;
END $$;

-- Keep distinct bodies that make no event, or count them again; each came in one of the requests,
-- whose headers are given once.
CREATE FUNCTION quarantine_bodies(
    bodies bytea[], reasons text[], requests integer[], counts bigint[], all_headers jsonb[],
    now_ms bigint
) RETURNS void LANGUAGE sql AS $$
    INSERT INTO quarantine AS q (
        sha256, body, reason, headers, deliveries, first_time, last_time
    )
    SELECT sha256(u.body), u.body, u.reason, all_headers[u.request], u.count, now_ms, now_ms
    FROM unnest(bodies, reasons, requests, counts) AS u(body, reason, request, count)
    ON CONFLICT ON CONSTRAINT quarantine_sha256_key
    DO UPDATE SET deliveries = q.deliveries + excluded.deliveries,
        last_time = greatest(q.last_time, excluded.last_time);
$$;
