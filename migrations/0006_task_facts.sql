-- Waits, offers and contacts: what figures count, one row a fact, with the positions between which
-- it was known, as for intervals. Times are epoch ms, durations ms.
--
-- finish and counted_time may lie in the future: then the passing of time will bring them about, if
-- no event comes before. Null: nothing will. A wait stands here from its beginning on, an offer or a
-- contact from its end on. tasks.kpi_facts is no longer written.
--
-- The release before this one may go on folding and serving: it reads and writes none of this.

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_namespace WHERE nspname = 'projector_shadow') THEN
        RAISE EXCEPTION 'there are shadow tables: remove them first (projector rebuild drop)';
    END IF;
END $$;

-- Since when a task's customer waits; null where none does, and for agents.
ALTER TABLE agents ADD COLUMN waiting_since bigint;
ALTER TABLE tasks ADD COLUMN waiting_since bigint;
-- Of an interval that the passing of time began: the time of the last event before. What was shown
-- since then is doubtful.
ALTER TABLE agent_intervals ADD COLUMN silent_since bigint;
ALTER TABLE task_intervals ADD COLUMN silent_since bigint;

CREATE TABLE task_facts (
    org_id text COLLATE "C" NOT NULL,
    id text COLLATE "C" NOT NULL,
    kind text COLLATE "C" NOT NULL CHECK (kind IN ('wait', 'offer', 'contact')),
    start bigint NOT NULL,
    number integer NOT NULL,      -- among those of one kind that begin in the same millisecond
    known_from bigint NOT NULL,
    known_to bigint CHECK (known_to > known_from),
    finish bigint,
    counted_time bigint,
    outcome text COLLATE "C",     -- null: a contact
    queue_id text COLLATE "C",
    channel_type text COLLATE "C",
    direction text COLLATE "C",
    talk_ms bigint NOT NULL,
    hold_ms bigint NOT NULL,
    consult_ms bigint NOT NULL,
    wrap_up_ms bigint NOT NULL,
    doubtful boolean NOT NULL,
    -- {agent: {"team_id": ...}}; of a contact also handled, talk_ms, hold_ms, consult_ms, wrap_up_ms
    parts jsonb NOT NULL,
    UNIQUE NULLS NOT DISTINCT (org_id, id, kind, start, number, known_to)
);
CREATE INDEX ON task_facts (counted_time);
CREATE INDEX ON task_facts (start) WHERE kind = 'wait';

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'projector_service') THEN
        GRANT SELECT, INSERT, UPDATE, DELETE ON task_facts TO projector_service;
    END IF;
END $$;
