"""`projector run` as a person runs it: one command, and whatever may befall its parts."""

import itertools
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx
import psycopg
import pytest

from tests.conftest import free_port, on_database
from tests.examples import ORG, login, v1

CHECKOUT = Path(__file__).resolve().parents[2]
PATIENCE = 30.0  # seconds; reached only where something is wrong
_numbers = itertools.count(1)


def await_(condition, what):
    """What the condition gives once it is true."""
    deadline = time.monotonic() + PATIENCE
    while not (found := condition()):
        assert time.monotonic() < deadline, f"waited in vain: {what}"
        time.sleep(0.02)
    return found


def read_proc(pid, name):
    """What the kernel tells of a process; empty where there is none."""
    try:
        return Path(f"/proc/{pid}/{name}").read_text(errors="replace")
    except OSError:
        return ""


def lives(pid):
    """Whether a process runs; one that is dead but unburied has no command line."""
    return read_proc(pid, "cmdline") != ""


def parent_of(pid):
    found = re.search(r"^PPid:\t(\d+)$", read_proc(pid, "status"), re.MULTILINE)
    return int(found[1]) if found else None


def all_pids():
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def _child(parent, mark=""):
    """The child of a process whose command line holds the mark; None without."""
    for pid in all_pids() if parent else ():
        command = read_proc(pid, "cmdline")
        if parent_of(pid) == parent and mark in command and "resource_tracker" not in command:
            return pid
    return None


class Command:
    """The command over one data folder and one port."""

    def __init__(self, data_dir, **environment):
        self.data_dir = data_dir
        self.port = free_port()
        self.stderr = data_dir.with_name(f"{data_dir.name}.stderr")
        self.said = None
        self._environment = environment
        self._process = None

    @property
    def environment(self):
        """The settings by which it is found, and none of whoever runs the tests."""
        kept = {
            name: value
            for name, value in os.environ.items()
            if name not in ("DATABASE_URL", "HOST", "PORT") and not name.startswith("PROJECTOR_")
        }
        own = {"PORT": str(self.port), "PROJECTOR_DATA_DIR": str(self.data_dir)}
        return kept | own | self._environment

    def begin(self):
        """Start it without waiting for anything."""
        with self.stderr.open("w") as stderr:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "projector", "run", "--json"],
                cwd=CHECKOUT,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=stderr,
                start_new_session=True,
            )

    def start(self):
        """Start it and wait until it has said its address."""
        self.begin()
        line = self._process.stdout.readline()
        assert line, self.stderr.read_text()
        self.said = json.loads(line)
        return self

    @property
    def pid(self):
        return self._process.pid

    @property
    def runs(self):
        return self._process is not None and self._process.poll() is None

    @property
    def token(self):
        return self.said["address"].partition("?token=")[2]

    @property
    def root(self):
        return self.said["webhooks"].removesuffix("/webhooks/webex")

    def interrupt(self):
        """Ctrl-C, which a terminal sends to the whole group; gives the exit code."""
        os.killpg(self.pid, signal.SIGINT)
        return self.end()

    def kill(self):
        """kill -9 of the parent alone."""
        self._process.kill()
        self.end()

    def end(self):
        """The exit code, once it has ended."""
        code = self._process.wait(PATIENCE)
        self._process.stdout.close()
        return code

    def processes(self):
        """Whatever runs on this data folder: its command, its children, its PostgreSQL."""
        marks = {str(self.data_dir)}
        if (cluster := self.data_dir / "postgres").exists():
            marks.add(f"projector-{cluster.stat().st_dev:x}-{cluster.stat().st_ino:x}")
        told = {
            pid: read_proc(pid, "cmdline") + read_proc(pid, "environ")
            for pid in all_pids()
            if pid != os.getpid() and lives(pid)
        }
        return sorted(pid for pid, text in told.items() if any(mark in text for mark in marks))

    def part(self, name):
        """The process id of a part; None while it has none."""
        if name == "postgres":
            return int((self.data_dir / "postgres/postmaster.pid").read_text().split("\n")[0])
        if name == "worker":
            return _child(self.part("serve"))
        return _child(self.pid, f"projector\0{name}\0")

    @property
    def url(self):
        """The address of the embedded database."""
        folder = (self.data_dir / "postgres/postmaster.pid").read_text().split("\n")[4]
        return f"postgresql://postgres@/projector?host={folder}"

    def post(self, body):
        return httpx.post(self.said["webhooks"], json=body, timeout=10)

    def get(self, path, *, token=None, after=None):
        headers = {"Authorization": f"Bearer {token or self.token}"}
        if after is not None:
            headers["X-Min-Position"] = str(after)
        return httpx.get(f"{self.root}{path}", headers=headers, timeout=10)


def logged(url, agent):
    """The ids of an agent's events in the log, in its order."""
    with psycopg.connect(url) as connection:
        rows = connection.execute(
            "SELECT event_id FROM projector.events WHERE agent_id = %s ORDER BY notification_id",
            [agent],
        )
        return [id_ for (id_,) in rows]


class Sender:
    """Posts an agent's events one by one, each until it is acknowledged, from a thread."""

    def __init__(self, command, agent):
        self.acknowledged = []
        self.refusals = []
        self.position = 0
        self._command = command
        self._agent = agent
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work)

    def __enter__(self):
        self._thread.start()
        await_(lambda: len(self.acknowledged) > 10, "the first acknowledged events")
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join()

    def await_more(self, count=20):
        aim = len(self.acknowledged) + count
        await_(lambda: len(self.acknowledged) >= aim, "more acknowledged events")

    def _work(self):
        for number in itertools.count():
            if self._stop.is_set():
                return
            word = ("Idle", "Available")[number % 2]
            moment = number * 1_000
            told = v1(moment, self._agent, word) if number else login(moment, self._agent)
            self._deliver(told | {"id": f"{self._agent}-{number}"})

    def _deliver(self, body):
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            try:
                answer = self._command.post(body)
            except httpx.HTTPError as error:
                self.refusals.append(repr(error))
            else:
                if answer.status_code == 202:
                    self.acknowledged.append(body["id"])
                    self.position = int(answer.headers["X-Position"])
                    return
                self.refusals.append(answer.status_code)
            time.sleep(0.02)
        self._stop.set()


def assert_kept(command, agent, sender):
    """Each acknowledged event is in the log once, and the view has folded each once."""
    assert sender.acknowledged == logged(command.url, agent)
    path = f"/api/v1/agents/{agent}?orgId={ORG}"

    def view():
        answer = command.get(path, after=sender.position)
        return answer.json() if answer.status_code == 200 else None

    found = await_(view, "the view")
    assert len(sender.acknowledged) == found["eventCount"]
    assert sender.acknowledged[-1] == found["lastEvent"]["id"]
    # A broken connection or "try again" is all that a sender may have met meanwhile.
    assert [] == [it for it in sender.refusals if it != 503 and not isinstance(it, str)]


@pytest.fixture(scope="module")
def command(tmp_path_factory):
    """One data folder and port for the tests of this file; whatever is left is ended."""
    held = Command(tmp_path_factory.mktemp("run") / "data")
    yield held
    if held.runs:
        held.interrupt()
    for pid in held.processes():
        os.kill(pid, signal.SIGKILL)


@pytest.fixture
def service(command):
    """The command, running."""
    return command if command.runs else command.start()


@pytest.fixture
def stranger():
    """A live process that has nothing to do with us."""
    with subprocess.Popen(["sleep", "60"]) as process:
        yield process.pid
        process.kill()


# --- start and stop ---


def test_the_announced_address_answers(service):
    """The address opens the page with the token in it; the webhooks' address takes webhooks."""
    assert f"http://127.0.0.1:{service.port}/?token={service.token}" == service.said["address"]
    page = httpx.get(service.said["address"], follow_redirects=True)
    assert (200, True) == (page.status_code, page.headers["Content-Type"].startswith("text/html"))
    assert 200 == service.get("/api/v1/status").status_code
    assert 401 == service.get("/api/v1/status", token="another").status_code
    assert 200 == httpx.get(f"{service.root}/readyz").status_code
    assert f"embedded PostgreSQL in {service.data_dir}" == service.said["database"]


def test_the_token_is_private(service):
    """The operator's token is kept in the data folder, readable by its owner alone."""
    kept = service.data_dir / "operator-token"
    assert (service.token, 0o600) == (kept.read_text(), kept.stat().st_mode & 0o777)


def test_a_webhook_becomes_a_view(service):
    """What was acknowledged is read back after its position."""
    posted = service.post(login(0, "dora") | {"id": "dora-0"})
    assert (202, 1) == (posted.status_code, posted.json()["appended"])
    view = service.get(f"/api/v1/agents/dora?orgId={ORG}", after=posted.headers["X-Position"])
    assert ("dora", True, 1) == tuple(
        view.json()[field] for field in ("agentId", "loggedIn", "eventCount")
    )


def test_it_is_verified_while_it_runs(service):
    """The command reaches the embedded database of a service that runs, and leaves it running."""
    posted = service.post(login(0, "vera") | {"id": "vera-0"})
    service.get(f"/api/v1/agents/vera?orgId={ORG}", after=posted.headers["X-Position"])
    done = subprocess.run(
        [sys.executable, "-m", "projector", "verify", "agent:vera", "--json"],
        cwd=CHECKOUT,
        env=service.environment,
        capture_output=True,
        check=True,
    )
    told = json.loads(done.stdout)
    assert ([], 1, 1) == tuple(told[name] for name in ("differences", "subjects", "events"))
    assert 200 == httpx.get(f"{service.root}/readyz").status_code


def test_ctrl_c_ends_all_and_a_second_run_finds_its_data(service):
    """Exit code 0, a silent end, no process left; then the same token, address and events."""
    before, head = service.said, service.get("/api/v1/status").json()["head"]
    assert 0 == service.interrupt()
    assert [] == service.processes()
    assert "" == service.stderr.read_text()
    service.start()
    assert before == service.said
    assert head == service.get("/api/v1/status").json()["head"]


def test_a_second_run_on_the_same_folder_is_refused(service):
    """One sentence names the folder; the first runs on."""
    other = Command(service.data_dir)
    other.stderr = service.stderr.with_name("second.stderr")
    other.begin()
    assert 1 == other.end()
    assert_sentence(other, "Another projector already runs on", str(service.data_dir))
    assert 200 == service.get("/api/v1/status").status_code


def test_terminate_is_as_good_as_ctrl_c(tmp_path, server):
    """SIGTERM, as service managers send it, ends with exit code 0 and leaves nothing."""
    with over(server, tmp_path) as one:
        os.kill(one.pid, signal.SIGTERM)
        assert 0 == one.end()
        assert [] == one.processes()


def test_ctrl_c_while_it_starts(service):
    """It ends as soon as it can, with exit code 0; nothing is left and nothing was announced."""
    service.interrupt()
    service.begin()
    await_((service.data_dir / "postgres/postmaster.pid").exists, "PostgreSQL's start")
    os.killpg(service.pid, signal.SIGINT)
    assert b"" == service._process.stdout.read()
    assert (0, "") == (service.end(), service.stderr.read_text())
    assert [] == service.processes()


# --- kill -9 of each part while webhooks arrive ---


@pytest.mark.parametrize("part", ["serve", "worker", "follow", "postgres"])
def test_a_killed_part_comes_back(service, part):
    """kill -9: it is replaced by itself, and no acknowledged event is lost or counted twice."""
    agent = f"agent-{part}"
    with Sender(service, agent) as sender:
        killed = service.part(part)
        os.kill(killed, signal.SIGKILL)
        sender.await_more()
        await_(lambda: not lives(killed) and service.part(part) not in (None, killed), part)
        sender.await_more()
    assert_kept(service, agent, sender)
    assert service.runs
    if part == "follow":  # senders need not know of it
        assert [] == sender.refusals


def test_a_killed_parent_is_followed_by_a_new_run(service):
    """kill -9 of the command: its orphans vanish, and a new run takes their port by itself."""
    with Sender(service, "agent-parent") as sender:
        orphans = [service.part(name) for name in ("serve", "worker", "follow")]
        assert None not in orphans
        service.kill()
        service.start()
        assert [] == [pid for pid in orphans if lives(pid)]
        sender.await_more()
    assert_kept(service, "agent-parent", sender)


def test_orphans_vanish_without_a_new_run(service):
    """After kill -9 of the command only PostgreSQL is left, which the next run adopts."""
    orphans = [service.part(name) for name in ("serve", "worker", "follow")]
    postgres = service.part("postgres")
    assert None not in orphans
    service.kill()
    await_(lambda: not any(map(lives, orphans)), "the orphans' end")
    assert lives(postgres)
    service.start()
    assert postgres == service.part("postgres")


def test_a_power_cut_and_a_pid_file_that_names_a_stranger(service, stranger):
    """All killed at once, the recorded process id given to another program: it starts, all kept."""
    with Sender(service, "agent-power") as sender:
        sender.await_more()
        killed = service.part("postgres")
        for pid in service.processes():
            os.kill(pid, signal.SIGKILL)
        service.end()
        assert [] == await_gone(service)
        stale = service.data_dir / "postgres/postmaster.pid"
        stale.write_text(stale.read_text().replace(str(killed), str(stranger), 1))
        service.start()
        sender.await_more()
    assert lives(stranger)
    assert_kept(service, "agent-power", sender)


def await_gone(command):
    await_(lambda: not command.processes(), "the end of all processes")
    return command.processes()


# --- what stops a start ---


def assert_sentence(command, *parts):
    """One sentence on the error output, which holds the parts; nothing on the other."""
    said = command.stderr.read_text()
    assert 1 == said.count("\n"), said
    assert said.endswith(".\n")
    assert [] == [part for part in parts if part not in said], said


def refuse(data_dir, *parts, **environment):
    """Run with these settings: one sentence, exit code 1, nothing left running."""
    command = Command(data_dir, **environment)
    command.begin()
    with command._process.stdout as stdout:
        assert b"" == stdout.read()
    assert 1 == command._process.wait(PATIENCE)
    assert_sentence(command, *parts)
    assert [] == command.processes()


@pytest.mark.parametrize(
    ("setting", "value", "parts"),
    [
        ("PORT", "http", ["PORT cannot be used"]),
        ("PORT", "65536", ["PORT cannot be used", "65535"]),
        ("PROJECTOR_TOKENS", "[{", ["PROJECTOR_TOKENS cannot be used", "Invalid JSON"]),
        ("PROJECTOR_WEBHOOK_SECRETS", "s", ["PROJECTOR_WEBHOOK_SECRETS cannot be used", "JSON"]),
        ("DATABASE_URL", "postgresql://me@127.0.0.1:1/x", ["DATABASE_URL", "refused", "address"]),
        ("DATABASE_URL", "postgresql://me@no.invalid/x", ["DATABASE_URL", "no.invalid"]),
        ("DATABASE_URL", "mysql://me@host/x", ["DATABASE_URL", "postgresql://"]),
    ],
)
def test_a_setting_that_cannot_be_used(tmp_path, setting, value, parts):
    """The sentence names the setting and what is wrong with it."""
    refuse(tmp_path / "data", *parts, **{setting: value})


def test_an_unknown_database(tmp_path, server):
    """The sentence says which database the server does not have."""
    url = on_database(server, "no_such_database")
    refuse(tmp_path / "data", "DATABASE_URL", "no_such_database", DATABASE_URL=url)


def test_a_taken_port(tmp_path, server):
    """The sentence names the port and the setting."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        refuse(tmp_path / "data", f"Port {port}", "set PORT", DATABASE_URL=server, PORT=port)


@pytest.mark.parametrize("host", ["203.0.113.7", "no.invalid"])
def test_a_host_that_is_not_ours(tmp_path, server, host):
    """The sentence names the address and the setting."""
    refuse(tmp_path / "data", host, "set HOST", DATABASE_URL=server, HOST=host)


def test_a_data_folder_of_another_version(tmp_path):
    """A cluster of another PostgreSQL is left alone; the sentence names both versions."""
    cluster = tmp_path / "data/postgres"
    cluster.mkdir(parents=True)
    (cluster / "PG_VERSION").write_text("17\n")
    refuse(tmp_path / "data", "made by PostgreSQL 17", "brings 18", "PROJECTOR_DATA_DIR")
    assert ["PG_VERSION"] == [path.name for path in cluster.iterdir()]


def test_a_data_folder_that_cannot_be_made(tmp_path, server):
    """The sentence names the folder, whoever needs it: the cluster or the token alone."""
    (tmp_path / "file").touch()
    command = Command(tmp_path / "file", PROJECTOR_DATA_DIR=str(tmp_path / "file" / "data"))
    for environment in ({}, {"DATABASE_URL": empty_database(server)}):
        command._environment |= environment
        command.begin()
        assert 1 == command.end()
        assert_sentence(command, str(tmp_path / "file"), "Not a directory", "PROJECTOR_DATA_DIR")


# --- a disk that is full ---


@pytest.fixture
def disk(tmp_path):
    """Mounts a small disk of its own; only root may."""
    folder = tmp_path / "disk"
    folder.mkdir()

    def mount(megabytes):
        line = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder)]
        if os.geteuid() != 0 or subprocess.run(line, capture_output=True, check=False).returncode:
            pytest.skip("only root outside a container may mount a small disk")
        return folder

    yield mount
    if folder.is_mount():
        subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk(disk, tmp_path):
    """The sentence asks for space."""
    command = Command(disk(8) / "data")
    command.stderr = tmp_path / "stderr"
    command.begin()
    assert 1 == command.end()
    assert_sentence(command, "No space left on device", "free some space")
    assert [] == command.processes()


@pytest.mark.slow
@pytest.mark.parametrize("megabytes_left", [3, 12])
def test_a_disk_that_fills_up(disk, tmp_path, megabytes_left):
    """Full while it runs: 503 or, if the database itself cannot live, the end; all is kept."""
    command = Command(disk(110) / "data")
    command.stderr = tmp_path / "stderr"
    command.start()
    acknowledged = []
    filler = command.data_dir / "filler"
    fill(filler, megabytes_left << 20)
    try:
        for number in range(400):
            padding = os.urandom(50_000).hex()
            id_ = f"full-{number}"
            answer = command.post(login(number, "full", padding=padding) | {"id": id_})
            if answer.status_code != 202:
                break
            acknowledged.append(id_)
        assert (503, "application/problem+json") == (
            answer.status_code,
            answer.headers["Content-Type"],
        )
        assert answer.headers["Retry-After"].isdigit()
        if megabytes_left == 12:  # then there is no room for the next file of the database's log
            assert 1 == command.end()
            assert "free some space" in command.stderr.read_text().splitlines()[-1]
        filler.unlink()
        if not command.runs:
            command.start()
        last = await_(lambda: accepted(command, "full-last"), "room again")
        assert [*acknowledged, "full-last"] == logged(command.url, "full")
        view = command.get(f"/api/v1/agents/full?orgId={ORG}", after=last)
        assert len(acknowledged) + 1 == view.json()["eventCount"]
    finally:
        filler.unlink(missing_ok=True)
        if command.runs:
            assert 0 == command.interrupt()
    assert [] == command.processes()


def fill(path, left):
    """Write a file that leaves so many bytes on its disk."""
    size = shutil.disk_usage(path.parent).free - left
    with path.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, size)


def accepted(command, id_):
    """The log's position after an accepted webhook; None where it was not accepted."""
    answer = command.post(login(900, "full") | {"id": id_})
    return answer.headers.get("X-Position")


# --- another database ---


def empty_database(server):
    name = f"run_{next(_numbers)}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
    return on_database(server, name)


class over:  # noqa: N801 - read as a word: with over(server, folder)
    """The command over an empty database of a server that is not its own, ended afterwards."""

    def __init__(self, server, folder, **environment):
        url = empty_database(server)
        self._command = Command(folder / "data", DATABASE_URL=url, **environment)

    def __enter__(self):
        return self._command.start()

    def __exit__(self, *_):
        if self._command.runs:
            assert 0 == self._command.interrupt()


@pytest.mark.parametrize("host", ["localhost", "::1", "0.0.0.0"])
def test_a_database_of_ones_own(tmp_path, server, host):
    """DATABASE_URL is migrated and used, no server is started; HOST may be a name or a number."""
    tokens = json.dumps([{"token": "mine", "role": "viewer"}])
    settings = {"PROJECTOR_TOKENS": tokens, "PROJECTOR_ALLOW_UNSIGNED": "1", "HOST": host}
    with over(server, tmp_path, **settings) as command:
        assert "as DATABASE_URL says" == command.said["database"]
        assert f"{command.root}/" == command.said["address"]
        posted = command.post(login(0, "ann") | {"id": "ann-0"})
        position = posted.headers["X-Position"]
        found = command.get("/api/v1/agents", token="mine", after=position)
        assert ["ann"] == [view["agentId"] for view in found.json()["data"]]
        assert not (tmp_path / "data").exists()
        postgres = [pid for pid in command.processes() if "postgres" in read_proc(pid, "comm")]
        assert [] == postgres
        assert 0 == command.interrupt()
    assert [] == command.processes()
    assert "" == command.stderr.read_text()


def test_without_json_the_address_is_for_people(tmp_path, server):
    """The text names the address to open, where webhooks go, and how to stop."""
    command = Command(tmp_path / "data", DATABASE_URL=empty_database(server))
    with subprocess.Popen(
        [sys.executable, "-u", "-m", "projector", "run"],
        cwd=CHECKOUT,
        env=os.environ
        | command._environment
        | {"PORT": str(command.port), "PROJECTOR_DATA_DIR": str(command.data_dir)},
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        lines = [process.stdout.readline() for _ in range(6)]
        process.send_signal(signal.SIGINT)
        assert 0 == process.wait(PATIENCE)
    text = "".join(lines)
    token = (command.data_dir / "operator-token").read_text()
    assert f"Open       http://127.0.0.1:{command.port}/?token={token}\n" in text
    assert f"Webhooks   http://127.0.0.1:{command.port}/webhooks/webex\n" in text
    assert "Ctrl-C stops everything." in text
