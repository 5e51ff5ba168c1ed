"""Measurements, always of several contenders in turn: run ``python -m tests.bench``."""
