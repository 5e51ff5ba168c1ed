-- What figures count of a task beside its state, and of which type the last event of a view is:
-- so that a floor is summed without loading its states. All is folded again.

TRUNCATE agents, tasks, agent_intervals, task_intervals, agent_anomalies, task_anomalies,
    agent_checkpoints, task_checkpoints, agent_late_counts, task_late_counts, agent_corrections,
    task_corrections, parked;
UPDATE projections SET position = 0, counted = 0;
UPDATE bucket_counts SET stored = 0, projected = 0;

ALTER TABLE agents
    ADD newest text NOT NULL,  -- the type of the last event folded
    ADD contact bigint[];      -- of a task: the fields of `figures.Contact` in their order
ALTER TABLE tasks ADD newest text NOT NULL, ADD contact bigint[];
