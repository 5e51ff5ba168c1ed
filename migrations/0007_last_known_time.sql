-- The time of the last known event of a subject, also where it only restates a fact. Later events
-- come before it or after it, whatever the batches in which they arrive. Times are epoch ms.
--
-- The release before this one may go on folding and serving: it reads and writes none of this.

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_namespace WHERE nspname = 'projector_shadow') THEN
        RAISE EXCEPTION 'there are shadow tables: remove them first (projector rebuild drop)';
    END IF;
END $$;

-- Null in the rows of an earlier fold, which no runner of this release goes on from.
ALTER TABLE agents ADD COLUMN last_known_time bigint;
ALTER TABLE tasks ADD COLUMN last_known_time bigint;
