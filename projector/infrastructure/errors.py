"""The root of all errors the project raises on purpose."""


class ProjectorError(Exception):
    """Something a person can put right; the message is one sentence that says what to do."""
