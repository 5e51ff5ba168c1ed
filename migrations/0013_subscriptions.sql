-- What subscriptions bring, by hour, so that silence can be told from nothing happening; and what
-- the vendor says of them.

CREATE TABLE heard (
    subscription text COLLATE "C" NOT NULL,
    hour bigint NOT NULL,        -- since the epoch
    deliveries bigint NOT NULL,
    last_time bigint NOT NULL,   -- epoch ms
    PRIMARY KEY (subscription, hour)
);

CREATE TABLE subscriptions (
    id text COLLATE "C" PRIMARY KEY,
    name text NOT NULL,
    resource_version text NOT NULL,
    status text NOT NULL,           -- active or inactive, as the vendor says
    checked_time bigint NOT NULL    -- epoch ms
);

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'projector_service') THEN
        GRANT SELECT, INSERT, UPDATE, DELETE ON heard, subscriptions TO projector_service;
    END IF;
END $$;
