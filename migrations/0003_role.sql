-- The service works as a role that can add to the log and read it, nothing else, where whoever
-- migrates may make roles. Where not, the log's triggers stand alone, and the status says so.

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
        -- Who makes a role is a member of it, but may not take it before it is granted (16 on).
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
    GRANT SELECT, INSERT, UPDATE, DELETE ON projections, agents, tasks, agent_intervals,
        task_intervals TO projector_service;
    GRANT SELECT ON schema_migrations TO projector_service;
END $$;
