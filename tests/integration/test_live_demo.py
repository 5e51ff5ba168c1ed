"""`projector demo` against a running service: a floor that lives, and losses that come back."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from projector.webex.simulator.payloads import SIMULATED_ORG_ID
from tests.conftest import Site, free_port, slow
from tests.integration.test_run import CHECKOUT, Command, await_

AGENTS = 16
WORDS = ("--agents", str(AGENTS), "--reconcile-every", "2", "--storm-every", "6", "--json")


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Command]:
    """A service without any setting of the vendor."""
    command = Command(tmp_path_factory.mktemp("demo") / "data").start()
    yield command
    command.interrupt()


class Demo:
    """`projector demo` beside a service."""

    def __init__(self, service: Command, folder: Path, *words: str) -> None:
        self.said = folder / "demo.stderr"
        with self.said.open("w") as stderr:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "projector", "demo", *WORDS, *words],
                cwd=CHECKOUT,
                env=service.environment,
                stdout=subprocess.PIPE,
                stderr=stderr,
                text=True,
                start_new_session=True,
            )

    @property
    def runs(self) -> bool:
        return self._process.poll() is None

    def interrupt(self) -> None:
        """Ctrl-C."""
        os.kill(self._process.pid, signal.SIGINT)

    def totals(self) -> dict[str, Any]:
        """What it prints at its end, which is a clean one."""
        output, _ = self._process.communicate(timeout=60)
        assert 0 == self._process.returncode, self.said.read_text()
        totals: dict[str, Any] = json.loads(output)
        return totals

    def kill(self) -> None:
        self._process.kill()
        self._process.communicate()


@pytest.fixture
def demo(service: Command, tmp_path: Path) -> Iterator[Demo]:
    started = Demo(service, tmp_path, "--hours", "0.5")
    yield started
    started.kill()


def floor(service: Command) -> dict[str, Any]:
    answer: dict[str, Any] = service.get(f"/api/v1/summary?orgId={SIMULATED_ORG_ID}").json()
    return answer


def head(service: Command) -> int:
    position: int = service.get("/api/v1/status").json()["head"]["position"]
    return position


def reconciled(service: Command) -> list[tuple[int, int]]:
    """Position and time of the events that no webhook had brought."""
    with psycopg.connect(service.url) as connection:
        return connection.execute(
            "SELECT position, time FROM projector.log WHERE origin = 'reconciliation'"
        ).fetchall()


def test_a_floor_lives_and_what_is_lost_comes_back(service: Command, demo: Demo) -> None:
    """Until Ctrl-C, which ends it with a summary; a second one goes on after the first."""
    await_(lambda: floor(service)["agents"]["loggedIn"] > AGENTS / 2, "people are at work")
    runs = await_(
        lambda: [
            it
            for it in service.get("/api/v1/reconciliations").json()["data"]
            if it["status"] == "completed"
        ],
        "a reconciliation is done",
    )
    assert {("demo", "whole")} == {(it["who"], it["verdict"]) for it in runs}
    assert [] != reconciled(service)
    # Time goes on: new webhooks come, and their events are of now.
    before = head(service)
    await_(lambda: head(service) > before, "webhooks go on")
    agents = service.get(f"/api/v1/agents?orgId={SIMULATED_ORG_ID}&names=true&limit=100").json()
    assert AGENTS >= len(agents["data"]) > AGENTS / 2
    assert {it["agentId"] for it in agents["data"]} <= agents["names"]["agent"].keys()
    sources = {it["source"] for it in service.get("/api/v1/names").json()["data"]}
    assert "configuration" in sources
    assert "import" not in sources
    await_(lambda: "agents logged in" in demo.said.read_text(), "it says what happens")
    refused = second(service)
    assert (1, 1) == (refused.returncode, refused.stderr.count("\n"))
    assert "Another demo plays for this service already" in refused.stderr
    runs = service.get("/api/v1/reconciliations").json()["data"]
    assert "cancelled" not in {it["status"] for it in runs}
    demo.interrupt()
    totals = demo.totals()
    assert totals["lost"] > 0
    assert totals["sent"] == totals["acknowledged"]["received"]
    assert len(reconciled(service)) == totals["reconciled"]
    assert totals["reconciliations"] >= 1
    runs = service.get("/api/v1/reconciliations").json()["data"]
    assert {"completed", "cancelled"} >= {it["status"] for it in runs}


def second(service: Command) -> subprocess.CompletedProcess[str]:
    """What a demo says that is started beside another one."""
    return subprocess.run(
        [sys.executable, "-m", "projector", "demo", "--hours", "0.1", "--seconds", "2"],
        cwd=CHECKOUT,
        env=service.environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.slow
def test_a_demo_waits_for_a_service_that_is_away(tmp_path: Path) -> None:
    """It says so once, sends what has happened meanwhile, and is still the only one."""
    service = Command(tmp_path / "data").start()
    demo = Demo(service, tmp_path, "--hours", "0.1")
    try:
        await_(lambda: "agents logged in" in demo.said.read_text(), "it plays")
        service.interrupt()
        await_(lambda: "waits until it is back" in demo.said.read_text(), "it says that it waits")
        time.sleep(3)
        assert demo.runs
        service.start()
        await_(lambda: "The service is back" in demo.said.read_text(), "it goes on")
        before = head(service)
        await_(lambda: head(service) > before, "webhooks go on")
        assert "Another demo plays" in second(service).stderr
        demo.interrupt()
        totals = demo.totals()
    finally:
        demo.kill()
        service.interrupt()
    assert 1 == demo.said.read_text().count("waits until it is back")
    assert totals["sent"] == totals["acknowledged"]["received"]


@pytest.fixture
def played(service: Command, tmp_path: Path) -> Command:
    """A service for which a demo has played, in this process or just now."""
    if head(service) == 0:
        (tmp_path / "first").mkdir()
        Demo(service, tmp_path / "first", "--hours", "0.2", "--seconds", "2").totals()
    return service


@pytest.mark.slow
def test_what_a_demo_made_is_verified(played: Command) -> None:
    """The log folded independently gives every table: late events, storms and reconciled ones."""
    verified = subprocess.run(
        [sys.executable, "-m", "projector", "verify"],
        cwd=CHECKOUT,
        env=played.environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert 0 == verified.returncode, verified.stdout + verified.stderr


@pytest.mark.slow
def test_a_second_demo_goes_on_after_the_first(played: Command, tmp_path: Path) -> None:
    """The same people have no two pasts; and it ends by itself where that is asked for."""
    with psycopg.connect(played.url) as connection:
        (last, position) = connection.execute(
            "SELECT max(time), max(position) FROM projector.log WHERE agent_id IS NOT NULL"
        ).fetchone() or (0, 0)
        totals = Demo(played, tmp_path, "--hours", "12", "--seconds", "12").totals()
        (first,) = connection.execute(
            "SELECT min(time) FROM projector.log WHERE position > %s AND origin = 'webhook'",
            [position],
        ).fetchone() or (0,)
    assert totals["sent"] > 0
    assert first > last


@pytest.mark.parametrize("database", ["migrated", *slow("empty", "away")])
def test_another_database_is_noticed(
    service: Command, tmp_path: Path, server: str, site: Site, database: str
) -> None:
    """Else the reconciliations would be those of a service that nobody looks at."""
    away = f"postgresql://nobody@127.0.0.1:{free_port()}/none"
    url = {"empty": server, "migrated": site.url, "away": away}[database]
    other = tmp_path / "other"
    other.mkdir()
    (other / "operator-token").write_text(service.token)
    (other / "operator-token").chmod(0o600)
    refused = subprocess.run(
        [sys.executable, "-m", "projector", "demo", "--url", service.root],
        cwd=CHECKOUT,
        env={**service.environment, "PROJECTOR_DATA_DIR": str(other), "DATABASE_URL": url},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert 1 == refused.returncode
    assert "works on another database" in refused.stderr
    assert 1 == refused.stderr.count("\n")
