-- A page of a projection begins and ends with one call each, so that a single event costs few.

-- Hold the lanes furthest behind that nobody holds, as many as a share, and of these go on with
-- those of the least position: up to where the others stand, about page_events further, to the end
-- of a request. No lanes: others hold them all. has_hole: a position is missing, so nobody may pass.
CREATE FUNCTION begin_page(
    projection text, share integer, page_events bigint,
    OUT lanes smallint[], OUT after bigint, OUT last bigint, OUT has_hole boolean,
    OUT leaves_out boolean  -- whether any subject is parked or any event skipped
)
LANGUAGE plpgsql AS $$
DECLARE
    next bigint;
BEGIN
    WITH held AS MATERIALIZED (
        SELECT p.lane, p.position FROM projections p WHERE p.name = projection
        ORDER BY p.position, p.lane LIMIT share FOR UPDATE SKIP LOCKED
    ), least AS (
        SELECT min(h.position) AS position FROM held h
    )
    SELECT array_agg(h.lane) FILTER (WHERE h.position = l.position), l.position,
        min(h.position) FILTER (WHERE h.position > l.position)
    INTO lanes, after, next
    FROM held h, least l GROUP BY l.position;
    IF lanes IS NULL THEN
        RETURN;
    END IF;
    last := least(after + page_events, next);
    -- Bodies are as large as the sender likes: a page has some 32 MB of them at most.
    IF last > after + 50 THEN
        last := coalesce((
            SELECT min(e.position) FROM (
                SELECT e.notification_id AS position,
                    sum(octet_length(e.state)) OVER (ORDER BY e.notification_id) AS bytes
                FROM events e WHERE e.notification_id > after AND e.notification_id <= last
            ) AS e WHERE e.bytes > 33554432
        ), last);
    END IF;
    last := coalesce(
        (SELECT e.notification_id - 1 FROM events e
            WHERE e.notification_id > last AND e.request_position > last
            ORDER BY e.notification_id LIMIT 1),
        (SELECT max(e.notification_id) FROM events e),
        0);
    has_hole := last - after <> (
        SELECT count(*) FROM events e
        WHERE e.notification_id > after AND e.notification_id <= last
    );
    leaves_out := EXISTS (SELECT FROM parked) OR EXISTS (SELECT FROM skipped);
END $$;

-- Move lanes to the end of a page, count what was folded of each bucket, and say so. What the log
-- holds is counted apart from the page, from where it was last counted: so whatever moves a position
-- without folding shows.
CREATE FUNCTION end_page(
    projection text, held smallint[], last bigint,
    kinds text[], buckets smallint[], folded bigint[]
) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    since bigint[];  -- by lane: from where on its events are not counted yet
BEGIN
    SELECT array_agg(CASE WHEN p.lane = ANY(held) THEN p.counted ELSE last END ORDER BY p.lane)
    INTO since FROM projections p WHERE p.name = projection;
    UPDATE bucket_counts c
    SET stored = c.stored + n.stored, projected = c.projected + n.projected
    FROM (
        SELECT e.kind, e.bucket, sum(e.stored) AS stored, sum(e.projected) AS projected
        FROM (
            SELECT 'agents' AS kind, l.agent_bucket AS bucket, 1 AS stored, 0 AS projected
            FROM events l
            WHERE l.notification_id > (SELECT min(at) FROM unnest(since) AS at)
                AND l.notification_id <= last AND l.notification_id > since[l.agent_bucket / 16 + 1]
            UNION ALL
            SELECT 'tasks', l.task_bucket, 1, 0
            FROM events l
            WHERE l.notification_id > (SELECT min(at) FROM unnest(since) AS at)
                AND l.notification_id <= last AND l.notification_id > since[l.task_bucket / 16 + 1]
            UNION ALL
            SELECT f.kind, f.bucket, 0, f.folded
            FROM unnest(kinds, buckets, folded) AS f(kind, bucket, folded)
        ) AS e GROUP BY e.kind, e.bucket
    ) AS n
    WHERE c.name = projection AND c.kind = n.kind AND c.bucket = n.bucket;
    UPDATE projections p SET position = last, counted = last
    WHERE p.name = projection AND p.lane = ANY(held);
    PERFORM pg_notify('projector_views', last::text);
END $$;
