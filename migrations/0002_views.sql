-- What the log means: derived, and rebuilt from the log at any time.
--
-- A view's row keeps the folded state and, for filters, the facets of what is shown; where the
-- passing of time alone will change what is shown, also when (due) and into what (due_facets).

CREATE TABLE projections (
    name text PRIMARY KEY,
    position bigint NOT NULL,
    recorded_time bigint  -- of the last event folded, epoch ms
);

CREATE TABLE agents (
    org_id text COLLATE "C" NOT NULL,
    id text COLLATE "C" NOT NULL,
    state text NOT NULL,
    facets jsonb NOT NULL,
    due bigint,
    due_facets jsonb,
    changed bigint NOT NULL,  -- the time of the last event folded, epoch ms
    PRIMARY KEY (org_id, id)
);
CREATE INDEX ON agents (id);  -- a subject may be asked for without its organisation
CREATE INDEX ON agents (changed DESC, org_id, id);

CREATE TABLE tasks (LIKE agents INCLUDING ALL);

-- jsonb_path_ops keeps hashes, so values of any length can be indexed.
CREATE INDEX tasks_by_facet ON tasks USING gin (facets jsonb_path_ops);
CREATE INDEX tasks_by_due_facet ON tasks USING gin (due_facets jsonb_path_ops)
    WHERE due_facets IS NOT NULL;

-- An interval stores its start; its end is the next one's start, so none can overlap or leave a gap.
CREATE TABLE agent_intervals (
    org_id text COLLATE "C" NOT NULL,
    id text COLLATE "C" NOT NULL,
    start bigint NOT NULL,
    status text NOT NULL,
    current_state text NOT NULL,
    task_id text,
    queue_id text,
    idle_code_id text,
    event_id text,
    PRIMARY KEY (org_id, id, start)
);

CREATE TABLE task_intervals (LIKE agent_intervals INCLUDING ALL);

INSERT INTO projections (name, position) VALUES ('floor', 0);
