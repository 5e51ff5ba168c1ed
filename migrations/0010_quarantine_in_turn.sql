-- A body is set aside under the lock of an append, at a time not before that of the log's last event.
--
-- So it is with duplicates and conflicts since 0001: of the time before the last event the ledgers
-- get no row any more, and can be sealed up to there.

CREATE OR REPLACE FUNCTION quarantine_bodies(
    bodies bytea[], reasons text[], requests integer[], counts bigint[], all_headers jsonb[],
    now_ms bigint
) RETURNS void LANGUAGE sql AS $$
    SELECT pg_advisory_xact_lock(hashtextextended('projector.events', 0));
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
        last_time = greatest(q.last_time, excluded.last_time);
$$;
