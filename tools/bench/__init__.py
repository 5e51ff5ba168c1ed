"""Benchmarks; contenders always take turns. Run ``python -m tools.bench``."""
