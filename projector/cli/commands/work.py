"""`projector work`: the worker's process."""

from __future__ import annotations

import threading

import click

from projector.bootstrap.worker import build_worker
from projector.infrastructure.database import open_pool
from projector.infrastructure.processes import die_with_starter, on_stop_signals
from projector.infrastructure.settings import settings_from_environment


@click.command()
def work() -> None:
    """Run the worker of replays and reconciliations alone, on DATABASE_URL.

    Several may run; one of them works at a time.
    """
    settings = settings_from_environment()
    url = settings.require_database_url()
    die_with_starter()
    stop = threading.Event()
    on_stop_signals(stop)
    pool = open_pool(url, max_size=4)
    build_worker(settings, pool, url).run(stop)
    pool.close()
