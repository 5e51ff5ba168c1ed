-- The event log: every event once, in commit order, never changed.
--
-- Positions have no holes and follow commit order: each append takes one lock before it reads the
-- head, and keeps it until the commit. A reader that follows positions therefore misses nothing. Recorded time
-- never decreases along positions. Only organisation, type, event id, agent and task have a bounded
-- length, so only they are indexed as they are.

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
    time bigint NOT NULL,                           -- epoch ms; time_source says where from
    time_source text NOT NULL CHECK (time_source IN ('created', 'dispatched', 'recorded')),
    origin text NOT NULL CHECK (origin IN ('webhook', 'reconciliation', 'import')),
    recorded_time bigint NOT NULL,                  -- epoch ms
    request_position bigint NOT NULL,               -- position of the first event of its request
    agent_bucket smallint CHECK (agent_bucket BETWEEN 0 AND 255),  -- null: no part of an agent
    task_bucket smallint CHECK (task_bucket BETWEEN 0 AND 255),    -- null: no part of a task
    fingerprint bytea NOT NULL,                     -- tells a duplicate from a conflict
    seal_segment bigint GENERATED ALWAYS AS ((notification_id - 1) / 4096) STORED,
    PRIMARY KEY (originator_id, originator_version, org_id)
);

CREATE UNIQUE INDEX events_position ON events (notification_id, org_id);
CREATE INDEX events_of_agent ON events (org_id, agent_id, time) WHERE agent_bucket IS NOT NULL;
CREATE INDEX events_of_task ON events (org_id, task_id, time) WHERE task_bucket IS NOT NULL;
CREATE INDEX events_by_time ON events (time, notification_id);

-- The same rows under our own names. Every reader of ours uses it; the table's names are those of
-- the eventsourcing library, whose own tools read the table.
CREATE VIEW log WITH (security_invoker = true) AS
    SELECT notification_id AS position, originator_id AS key, topic AS type, state AS body,
        org_id, event_id, agent_id, task_id, created_time, time, time_source, origin,
        recorded_time, request_position, agent_bucket, task_bucket, fingerprint, seal_segment
    FROM events;

-- The library looks this type up when it starts.
CREATE TYPE stored_event_uuid AS (
    originator_id uuid, originator_version bigint, topic text, state bytea
);

-- One row for each further delivery of an event that the log has.
CREATE TABLE duplicates (
    org_id text COLLATE "C" NOT NULL,
    position bigint NOT NULL,
    recorded_time bigint NOT NULL
);
CREATE INDEX duplicates_of_event ON duplicates (org_id, position);

-- Deliveries with the key of an event in the log but with other content; each body once.
CREATE TABLE conflicts (
    org_id text COLLATE "C" NOT NULL,
    position bigint NOT NULL,       -- of the event that came first
    sha256 bytea NOT NULL,
    body bytea NOT NULL,
    deliveries bigint NOT NULL,
    first_time bigint NOT NULL,
    last_time bigint NOT NULL,
    PRIMARY KEY (org_id, position, sha256)
);

-- Authentic bodies that are no event; each once. They may have no organisation.
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

-- How many rows each of these three ledgers has, so that the status counts no table.
CREATE TABLE ledger_counts (
    ledger text PRIMARY KEY,
    count bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 50);
INSERT INTO ledger_counts (ledger) VALUES ('duplicates'), ('conflicts'), ('quarantine');

-- Promise: while its triggers are enabled, no statement updates or deletes a row of the log.
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the log is never changed: % on % is refused', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'insufficient_privilege';
END $$;

CREATE TRIGGER immutable BEFORE UPDATE OR DELETE OR TRUNCATE ON events
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER immutable BEFORE UPDATE OR DELETE OR TRUNCATE ON duplicates
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- Promise: each offered event is in the log once; positions follow the arrays and leave no hole.
--
-- Each array has one element per event. requests[i] is the index, from 0, of the first event of the
-- same request. The answer has, per event, 'appended', 'duplicate' or 'conflict' and the position
-- of the event with this key; head is the last position of the log afterwards.
--
-- Most batches have new events only, and take the short way: one plain INSERT. The other way judges
-- each event. Its statement is large, so it is planned once a session. Its look-up is a lateral
-- join without sequential scans: a plan made while the log was empty must still use the index when
-- the log is full.
CREATE FUNCTION append_events(
    keys uuid[], org_ids text[], types text[], event_ids text[], bodies bytea[],
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
    size bigint := cardinality(keys);
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('projector.events', 0));
    SELECT e.notification_id, e.recorded_time INTO before, recorded
        FROM events e ORDER BY e.notification_id DESC LIMIT 1;
    before := coalesce(before, 0);
    recorded := greatest(recorded, now_ms);

    IF (SELECT count(DISTINCT key) FROM unnest(keys) AS key) = size AND NOT EXISTS (
        SELECT FROM unnest(keys, versions, org_ids) AS o(key, version, org_id)
        CROSS JOIN LATERAL (
            SELECT FROM events e
            WHERE e.originator_id = o.key AND e.originator_version = o.version
                AND e.org_id = o.org_id
            LIMIT 1
        ) AS stored
    ) THEN
        INSERT INTO events (
            org_id, originator_id, originator_version, topic, state, notification_id, event_id,
            agent_id, task_id, created_time, time, time_source, origin, recorded_time,
            request_position, agent_bucket, task_bucket, fingerprint
        )
        SELECT o.org_id, o.key, o.version, o.type, o.body, before + o.ordinal, o.event_id,
            o.agent_id, o.task_id, o.created_time, coalesce(o.time, recorded), o.time_source,
            o.origin, recorded, before + 1 + o.request,
            o.agent_bucket, o.task_bucket, o.fingerprint
        FROM unnest(
            keys, org_ids, types, event_ids, bodies, agent_ids, task_ids, created_times, times,
            time_sources, origins, agent_buckets, task_buckets, fingerprints, requests, versions
        ) WITH ORDINALITY AS o(
            key, org_id, type, event_id, body, agent_id, task_id, created_time, time,
            time_source, origin, agent_bucket, task_bucket, fingerprint, request, version, ordinal
        );
        head := before + size;
        outcomes := array_fill('appended'::text, ARRAY[size::integer]);
        positions := ARRAY(SELECT generate_series(before + 1, head));
    ELSE
        WITH offered AS MATERIALIZED (
            SELECT o.*, e.position AS stored_position, e.fingerprint AS stored_fingerprint,
                min(o.ordinal) OVER (PARTITION BY o.key, o.version, o.org_id) AS first_ordinal
            FROM unnest(
                keys, org_ids, types, event_ids, bodies, agent_ids, task_ids, created_times, times,
                time_sources, origins, agent_buckets, task_buckets, fingerprints, requests, versions
            ) WITH ORDINALITY AS o(
                key, org_id, type, event_id, body, agent_id, task_id, created_time, time,
                time_source, origin, agent_bucket, task_bucket, fingerprint, request, version,
                ordinal
            )
            LEFT JOIN LATERAL (
                SELECT e.notification_id AS position, e.fingerprint FROM events e
                WHERE e.originator_id = o.key AND e.originator_version = o.version
                    AND e.org_id = o.org_id
                LIMIT 1
            ) e ON true
        ), placed AS MATERIALIZED (
            SELECT o.*, before + row_number() OVER (ORDER BY o.ordinal) AS position
            FROM offered o WHERE o.stored_position IS NULL AND o.ordinal = o.first_ordinal
        ), appended AS (
            INSERT INTO events (
                org_id, originator_id, originator_version, topic, state, notification_id, event_id,
                agent_id, task_id, created_time, time, time_source, origin, recorded_time,
                request_position, agent_bucket, task_bucket, fingerprint
            )
            SELECT p.org_id, p.key, p.version, p.type, p.body, p.position, p.event_id,
                p.agent_id, p.task_id, p.created_time, coalesce(p.time, recorded), p.time_source,
                p.origin, recorded, min(p.position) OVER (PARTITION BY p.request),
                p.agent_bucket, p.task_bucket, p.fingerprint
            FROM placed p
        ), judged AS MATERIALIZED (
            SELECT o.ordinal, o.org_id, o.body, coalesce(o.stored_position, p.position) AS position,
                CASE WHEN p.ordinal = o.ordinal THEN 'appended'
                    WHEN coalesce(o.stored_fingerprint, p.fingerprint) = o.fingerprint
                    THEN 'duplicate' ELSE 'conflict' END AS outcome
            FROM offered o LEFT JOIN placed p ON p.ordinal = o.first_ordinal
        ), new_duplicates AS (
            INSERT INTO duplicates
            SELECT j.org_id, j.position, recorded FROM judged j WHERE j.outcome = 'duplicate'
        ), new_conflicts AS (
            INSERT INTO conflicts AS c
            SELECT j.org_id, j.position, sha256(j.body), j.body, count(*), recorded, recorded
            FROM judged j WHERE j.outcome = 'conflict' GROUP BY j.org_id, j.position, j.body
            ON CONFLICT ON CONSTRAINT conflicts_pkey
            DO UPDATE SET deliveries = c.deliveries + excluded.deliveries,
                last_time = excluded.last_time
            RETURNING c.xmax = 0 AS is_new
        ), counted AS (
            UPDATE ledger_counts l SET count = l.count + n.count
            FROM (
                SELECT 'duplicates' AS ledger, count(*) FROM judged WHERE outcome = 'duplicate'
                UNION ALL
                SELECT 'conflicts', count(*) FROM new_conflicts WHERE is_new
            ) AS n
            WHERE l.ledger = n.ledger AND n.count > 0
        )
        SELECT array_agg(j.outcome ORDER BY j.ordinal), array_agg(j.position ORDER BY j.ordinal),
            greatest(before, max(j.position))
        INTO outcomes, positions, head
        FROM judged j;
    END IF;

    IF head > before THEN
        PERFORM pg_notify('projector_events', head::text);
    END IF;
END $$;

-- Promise: each distinct body is stored once and its deliveries are counted, under the lock of an
-- append and at a time not before that of the log's last event. So the ledgers get no row of an
-- earlier time, and can be sealed up to there.
--
-- requests[i] is the index, from 1, of the headers of the request in which the body came.
CREATE FUNCTION quarantine_bodies(
    bodies bytea[], reasons text[], requests integer[], counts bigint[], all_headers jsonb[],
    now_ms bigint
) RETURNS void LANGUAGE sql AS $$
    SELECT pg_advisory_xact_lock(hashtextextended('projector.events', 0));
    WITH saved AS (
        INSERT INTO quarantine AS q (
            sha256, body, reason, headers, deliveries, first_time, last_time
        )
        SELECT sha256(u.body), u.body, u.reason, all_headers[u.request], u.count, l.now, l.now
        FROM unnest(bodies, reasons, requests, counts) AS u(body, reason, request, count)
        CROSS JOIN (
            SELECT greatest(now_ms, (
                SELECT e.recorded_time FROM events e ORDER BY e.notification_id DESC LIMIT 1
            )) AS now
        ) AS l
        ON CONFLICT ON CONSTRAINT quarantine_sha256_key
        DO UPDATE SET deliveries = q.deliveries + excluded.deliveries,
            last_time = greatest(q.last_time, excluded.last_time)
        RETURNING q.xmax = 0 AS is_new
    )
    UPDATE ledger_counts SET count = count + (SELECT count(*) FROM saved WHERE is_new)
    WHERE ledger = 'quarantine';
$$;

-- Promise: the last position that was recorded up to a time (epoch ms), 0 before the first; no
-- append that is under way can still add a position up to it. A binary search, since positions have
-- no holes and recorded time never decreases along them.
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

-- The service works as a role that can append to the log and read it, but not change it, where the
-- migrating user may create roles. Elsewhere the triggers protect the log alone; the status says
-- so.

DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'projector_service') THEN
        CREATE ROLE projector_service NOLOGIN;
    END IF;
EXCEPTION
    WHEN insufficient_privilege THEN
        RAISE NOTICE 'no role made: triggers alone keep the log unchanged';
    WHEN duplicate_object OR unique_violation THEN
        NULL;  -- another database of this server made it at the same moment
END $$;

DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'projector_service') THEN
        RETURN;
    END IF;
    BEGIN
        -- From PostgreSQL 16 on, the creator of a role may take it only after a grant.
        IF NOT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) THEN
            EXECUTE format('GRANT projector_service TO %I', current_user);
        END IF;
    EXCEPTION WHEN insufficient_privilege THEN
        RAISE NOTICE 'the role may not be taken: triggers alone keep the log unchanged';
    END;
    EXECUTE format('GRANT USAGE ON SCHEMA %I TO projector_service', current_schema());
    GRANT SELECT, INSERT ON events, duplicates TO projector_service;
    GRANT SELECT, INSERT, UPDATE (deliveries, last_time) ON conflicts, quarantine
        TO projector_service;
    GRANT SELECT, UPDATE (count) ON ledger_counts TO projector_service;
    GRANT SELECT ON log, schema_migrations TO projector_service;
END $$;
