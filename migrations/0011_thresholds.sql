-- Thresholds that operators set, and alerts that are posted to the operator's address. Times are
-- epoch ms.
--
-- The release before this one may go on folding and serving: it reads and writes none of this.

-- The changes of the operator's rules. The last row says which rules count; rows stay as they are.
CREATE TABLE threshold_changes (
    version bigint PRIMARY KEY CHECK (version > 0),
    rules jsonb,                 -- null: the operator's rules were taken back
    who text NOT NULL,
    why text NOT NULL,
    time bigint NOT NULL
);

-- The alerts that were raised and have not ended, as far as posts tell.
CREATE TABLE open_alerts (
    key bytea PRIMARY KEY,       -- SHA-256 of what it is an alert of: statuses and ids may be long
    level text NOT NULL CHECK (level IN ('amber', 'red')),
    alert text NOT NULL          -- JSON, as it was when it had reached its level
);

-- Posts that wait, and those that were given up. A post that arrived is deleted.
CREATE TABLE alert_posts (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    message_id text NOT NULL DEFAULT 'msg_' || replace(gen_random_uuid()::text, '-', ''),
    key bytea NOT NULL,          -- of the alert: its posts go out in their order
    body text NOT NULL,
    created_time bigint NOT NULL,
    attempts integer NOT NULL DEFAULT 0,
    next_time bigint NOT NULL,   -- of the next attempt
    failed_time bigint,          -- at which it was given up
    last_error text
);
CREATE INDEX ON alert_posts (key, id) WHERE failed_time IS NULL;
CREATE INDEX ON alert_posts (next_time) WHERE failed_time IS NULL;
CREATE INDEX ON alert_posts (failed_time) WHERE failed_time IS NOT NULL;

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'projector_service') THEN
        GRANT SELECT, INSERT ON threshold_changes TO projector_service;
        GRANT SELECT, INSERT, UPDATE, DELETE ON open_alerts, alert_posts TO projector_service;
    END IF;
END $$;
