-- The log in the order in which things happened, whoever they happened to.

CREATE INDEX events_by_time ON events (time, notification_id);
