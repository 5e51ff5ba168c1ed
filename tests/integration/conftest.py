"""Fixtures of the laws of two times."""

from __future__ import annotations

import pytest

import projector.domain.events
from tests.conftest import erasable
from tests.integration.driving import Clock


@pytest.fixture(scope="module")
def timed(template, tmp_path_factory):
    """A site whose log may be emptied, and the clock by which it records and answers."""
    clock = Clock()
    with erasable(template, tmp_path_factory.mktemp("timed"), clock=clock) as site:
        yield site, clock


@pytest.fixture(autouse=True)
def _usual_spacing(monkeypatch):
    """Whatever a test makes of it, the next one finds it as it is."""
    monkeypatch.setattr(
        projector.domain.events, "EVENTS_PER_SNAPSHOT", projector.domain.events.EVENTS_PER_SNAPSHOT
    )
