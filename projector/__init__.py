"""Agent and task states of Webex Contact Center, derived from its webhooks."""

__version__ = "0.1.0"
