-- The audit trail: what callers did beyond reading, and the exports they took. Times are epoch ms.
--
-- The release before this one may go on folding and serving: it reads and writes none of this, and
-- what is done through it is not in the trail.

-- A row before it is done, and a row once it is answered. Nothing is done whose first row is not
-- here; what ended without an answer, as in a crash, has the first row alone.
CREATE TABLE audit_trail (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    request_id uuid NOT NULL,        -- of both rows
    step text COLLATE "C" NOT NULL CHECK (step IN ('asked', 'answered')),
    time bigint NOT NULL,
    who text,                        -- the token's name; null in an answer
    address text,                    -- of the caller; null: on this machine
    action text,                     -- method and route, or the command; null in an answer
    details text NOT NULL,           -- JSON: what was asked for and why, or the answer
    UNIQUE (request_id, step),
    CHECK ((step = 'asked') = (who IS NOT NULL AND action IS NOT NULL))
);
CREATE INDEX audit_trail_by_time ON audit_trail (time, number);

CREATE TRIGGER immutable BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_trail
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- Promise: a row is written under the lock of an append, at a time not before that of the log's last
-- event: so a seal covers it, as it covers the ledgers.
CREATE FUNCTION append_to_audit_trail(
    request uuid, step text, who text, address text, action text, details text, now_ms bigint
) RETURNS void LANGUAGE sql AS $$
    SELECT pg_advisory_xact_lock(hashtextextended('projector.events', 0));
    INSERT INTO audit_trail (request_id, step, time, who, address, action, details)
    VALUES (request, step, greatest(now_ms, (
        SELECT e.recorded_time FROM events e ORDER BY e.notification_id DESC LIMIT 1
    )), who, address, action, details);
$$;

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'projector_service') THEN
        GRANT SELECT, INSERT ON audit_trail TO projector_service;
    END IF;
END $$;
