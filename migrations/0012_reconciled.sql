-- Windows that a reconciliation has compared whole, [start, finish) in epoch ms: what the vendor
-- knows of them, the log has.

CREATE TABLE reconciled (
    job bigint PRIMARY KEY,
    org_id text COLLATE "C" NOT NULL,
    start bigint NOT NULL,
    finish bigint NOT NULL CHECK (finish > start),
    recorded_time bigint NOT NULL  -- when this was done, epoch ms
);
CREATE INDEX ON reconciled (org_id, start);

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'projector_service') THEN
        GRANT SELECT, INSERT ON reconciled TO projector_service;
    END IF;
END $$;
