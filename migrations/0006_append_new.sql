-- The common case of an append, a batch in which nothing is known, has a shorter way.
--
-- Promises and answers are those of 0001: positions without holes, under one lock. Where any event
-- of the batch is known, or comes twice in it, the statement of 0001 tells what became of each. The
-- number of a request is the place of its first event in the arrays, from 0 on. It has a name of its
-- own, so that a process of the release before goes on with the old one and its numbers.

CREATE FUNCTION append_offered(
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
    size bigint := cardinality(keys);
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('projector.events', 0));
    IF (SELECT count(DISTINCT key) FROM unnest(keys) AS key) < size OR EXISTS (
        SELECT FROM unnest(keys, versions, org_ids) AS o(key, version, org_id)
        CROSS JOIN LATERAL (
            SELECT FROM events e
            WHERE e.originator_id = o.key AND e.originator_version = o.version
                AND e.org_id = o.org_id
            LIMIT 1
        ) AS known
    ) THEN
        SELECT j.outcomes, j.positions, j.head INTO outcomes, positions, head
        FROM append_events(
            keys, org_ids, topics, event_ids, bodies, agent_ids, task_ids, created_times, times,
            time_sources, origins, agent_buckets, task_buckets, fingerprints, requests, versions,
            now_ms
        ) AS j;
        RETURN;
    END IF;

    SELECT e.notification_id, e.recorded_time INTO before, recorded
        FROM events e ORDER BY e.notification_id DESC LIMIT 1;
    before := coalesce(before, 0);
    recorded := greatest(recorded, now_ms);
    INSERT INTO events (
        org_id, originator_id, originator_version, topic, state, notification_id, event_id,
        agent_id, task_id, created_time, time, time_source, origin, recorded_time,
        request_position, agent_bucket, task_bucket, fingerprint
    )
    SELECT o.org_id, o.key, o.version, o.topic, o.body, before + o.ordinal, o.event_id,
        o.agent_id, o.task_id, o.created_time, coalesce(o.time, recorded), o.time_source,
        o.origin, recorded, before + 1 + o.request,
        o.agent_bucket, o.task_bucket, o.fingerprint
    FROM unnest(
        keys, org_ids, topics, event_ids, bodies, agent_ids, task_ids, created_times, times,
        time_sources, origins, agent_buckets, task_buckets, fingerprints, requests, versions
    ) WITH ORDINALITY AS o(
        key, org_id, topic, event_id, body, agent_id, task_id, created_time, time,
        time_source, origin, agent_bucket, task_bucket, fingerprint, request, version, ordinal
    );
    head := before + size;
    outcomes := array_fill('appended'::text, ARRAY[size::integer]);
    positions := ARRAY(SELECT generate_series(before + 1, head));
    IF size > 0 THEN
        PERFORM pg_notify('projector_events', head::text);
    END IF;
END $$;
