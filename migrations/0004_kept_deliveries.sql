-- Kept deliveries: nothing that was received is unreadable afterwards.

-- A conflict differs from the log's event in a field that is compared. A variation is a duplicate
-- that differs in another field of `data`; the counts of ledgers take it for the duplicate that it
-- is. append_events writes conflicts alone.
ALTER TABLE conflicts ADD COLUMN kind text NOT NULL DEFAULT 'conflict'
    CHECK (kind IN ('conflict', 'variation'));

-- Promise: each distinct body is stored once and its deliveries are counted, as a variation of the
-- event at its position, under the lock of an append and at a time not before that of the log's last
-- event.
--
-- append_events leaves it to the caller to find variations, since PostgreSQL cannot read every body:
-- one may hold a NUL, a lone surrogate or another encoding. The log never changes, so what is found
-- after an append stays true.
CREATE FUNCTION keep_variations(
    org_ids text[], positions bigint[], bodies bytea[], now_ms bigint
) RETURNS void LANGUAGE sql AS $$
    SELECT pg_advisory_xact_lock(hashtextextended('projector.events', 0));
    INSERT INTO conflicts AS c
        (org_id, position, kind, sha256, body, deliveries, first_time, last_time)
    SELECT v.org_id, v.position, 'variation', sha256(v.body), v.body, count(*), l.now, l.now
    FROM unnest(org_ids, positions, bodies) AS v(org_id, position, body)
    CROSS JOIN (
        SELECT greatest(now_ms, (
            SELECT e.recorded_time FROM events e ORDER BY e.notification_id DESC LIMIT 1
        )) AS now
    ) AS l
    GROUP BY v.org_id, v.position, v.body, l.now
    ON CONFLICT ON CONSTRAINT conflicts_pkey
    DO UPDATE SET deliveries = c.deliveries + excluded.deliveries,
        last_time = greatest(c.last_time, excluded.last_time);
$$;

-- What operators tried with quarantined bodies. The attempt without a reason is the one that ended
-- the quarantine of its body: there is one at most.
CREATE TABLE quarantine_attempts (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    quarantine_id bigint NOT NULL REFERENCES quarantine,
    kind text NOT NULL CHECK (kind IN ('retry', 'release')),
    who text NOT NULL,
    why text NOT NULL,
    time bigint NOT NULL,           -- epoch ms
    reason text,                    -- why the body still makes no event; null: it does
    positions bigint[] NOT NULL,    -- of the events of the log that the body states
    CHECK (reason IS NULL OR (kind = 'retry' AND positions = '{}'))
);
CREATE INDEX quarantine_attempts_of_body ON quarantine_attempts (quarantine_id, id);
CREATE UNIQUE INDEX quarantine_resolution ON quarantine_attempts (quarantine_id)
    WHERE reason IS NULL;

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'projector_service') THEN
        GRANT SELECT, INSERT ON quarantine_attempts TO projector_service;
    END IF;
END $$;
