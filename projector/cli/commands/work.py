"""`projector work`: the worker's process."""

from __future__ import annotations

import threading

import click

from projector.bootstrap.worker import build_alert_loop, build_worker
from projector.infrastructure.database import open_pool
from projector.infrastructure.processes import die_with_starter, on_stop_signals
from projector.infrastructure.settings import settings_from_environment
from projector.operations.alerts.loop import running
from projector.query.alerts.threshold_file import file_thresholds

WORKER_CONNECTIONS = 6  # of the jobs, and of the alerts


@click.command()
def work() -> None:
    """Run the worker of replays, reconciliations and posts of alerts alone, on DATABASE_URL.

    Several may run; one of them works at a time.
    """
    settings = settings_from_environment()
    url = settings.require_database_url()
    from_file = file_thresholds(settings)
    die_with_starter()
    stop = threading.Event()
    on_stop_signals(stop)
    pool = open_pool(url, max_size=WORKER_CONNECTIONS)
    with running(build_alert_loop(settings, pool, from_file), stop):
        build_worker(settings, pool, url).run(stop)
    pool.close()
