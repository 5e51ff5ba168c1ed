"""Measurements, always of several contenders in turn: run ``python -m tools.bench``."""
