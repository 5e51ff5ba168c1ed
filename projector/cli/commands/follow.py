"""`projector follow`: the projection's process."""

from __future__ import annotations

import threading

import click

from projector.bootstrap.follower import build_runner
from projector.infrastructure.database import open_pool
from projector.infrastructure.processes import die_with_starter, on_stop_signals
from projector.infrastructure.settings import settings_from_environment


@click.command()
def follow() -> None:
    """Run the projection alone, on DATABASE_URL; several may run."""
    follow_log(settings_from_environment().require_database_url())


def follow_log(database_url: str, *, shadow: bool = False) -> None:
    """Fold the log into the views, or into those of a shadow rebuild, until SIGTERM or SIGINT."""
    die_with_starter()
    stop = threading.Event()
    on_stop_signals(stop)
    pool = open_pool(database_url, max_size=2)
    build_runner(pool, database_url, shadow=shadow).run(stop)
    pool.close()
