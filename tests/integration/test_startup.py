"""Each process of the service loads only the modules that it needs."""

import os
import subprocess
import sys

import pytest

# Runs a command, stops it once it works, and prints the modules that it has loaded.
RUN = """
import atexit, os, signal, sys, threading, time
from projector.cli.main import main

def stop():
    while signal.getsignal(signal.SIGTERM) in (signal.SIG_DFL, None):
        time.sleep(0.01)
    time.sleep(0.3)
    os.kill(os.getpid(), signal.SIGTERM)

threading.Thread(target=stop, daemon=True).start()
atexit.register(lambda: print(*sys.modules))
main()
"""
WEB = {"flask", "graphql", "granian", "werkzeug", "jinja2"}


def loaded_by(name, url, folder):
    """The modules of a process that has worked on a database for a short time."""
    done = subprocess.run(
        [sys.executable, "-c", RUN, name],
        env={**os.environ, "DATABASE_URL": url, "PROJECTOR_DATA_DIR": str(folder)},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return set(done.stdout.split())


@pytest.mark.parametrize(
    ("name", "others"),
    [
        ("follow", WEB | {"httpx", "projector.operations", "projector.query.as_of"}),
        ("work", WEB | {"projector.event_log.intake"}),
    ],
)
def test_a_process_loads_no_part_of_another(name, others, database_url, tmp_path):
    """It loads no web server, API, simulator or other command."""
    modules = loaded_by(name, database_url, tmp_path)
    assert "projector.event_log.store" in modules
    assert set() == modules & (others | {"api", "projector.webex.simulator"})
    commands = {it for it in modules if it.startswith("projector.cli.commands.")}
    assert {f"projector.cli.commands.{name}"} == commands
