"""`projector run` as a person runs it: one command, and failures of its parts."""

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
from contextlib import suppress
from pathlib import Path

import httpx
import psycopg
import pytest

from projector.infrastructure.database import service_address
from tests.conftest import free_port, on_database, slow
from tests.examples import ORG, login, v1

CHECKOUT = Path(__file__).resolve().parents[2]
MAX_SECONDS = 30.0  # reached only if something is wrong
_numbers = itertools.count(1)


def await_(condition, what):
    """Wait until the condition gives a true value; answer the value."""
    deadline = time.monotonic() + MAX_SECONDS
    while not (value := condition()):
        assert time.monotonic() < deadline, f"waited in vain: {what}"
        time.sleep(0.02)
    return value


def read_proc(pid, name):
    """A file of a process in /proc; empty if the process does not exist."""
    try:
        return Path(f"/proc/{pid}/{name}").read_text(errors="replace")
    except OSError:
        return ""


def is_running(pid):
    """Whether a process runs; a zombie has no command line."""
    return read_proc(pid, "cmdline") != ""


def parent_of(pid):
    match = re.search(r"^PPid:\t(\d+)$", read_proc(pid, "status"), re.MULTILINE)
    return int(match[1]) if match else None


def all_pids():
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def _child(parent, mark=""):
    """The child of a process whose command line contains the mark; None if there is none."""
    for pid in all_pids() if parent else ():
        command = read_proc(pid, "cmdline")
        if parent_of(pid) == parent and mark in command and "resource_tracker" not in command:
            return pid
    return None


class Command:
    """`projector run` over one data folder and one port."""

    def __init__(self, data_dir, **environment):
        self.data_dir = data_dir
        self.port = free_port()
        self.stderr = data_dir.with_name(f"{data_dir.name}.stderr")
        self.announcement = None
        self._environment = environment
        self._process = None

    @property
    def environment(self):
        """Its own settings, and none from the environment of the tests."""
        inherited = {
            name: value
            for name, value in os.environ.items()
            if name not in ("DATABASE_URL", "HOST", "PORT") and not name.startswith("PROJECTOR_")
        }
        own = {"PORT": str(self.port), "PROJECTOR_DATA_DIR": str(self.data_dir)}
        return inherited | own | self._environment

    def begin(self):
        """Start the command without waiting for anything."""
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
        """Start the command and wait until it has printed its address."""
        self.begin()
        line = self._process.stdout.readline()
        assert line, self.stderr.read_text()
        self.announcement = json.loads(line)
        return self

    @property
    def pid(self):
        return self._process.pid

    @property
    def runs(self):
        return self._process is not None and self._process.poll() is None

    @property
    def token(self):
        return self.announcement["address"].partition("?token=")[2]

    @property
    def root(self):
        return self.announcement["webhooks"].removesuffix("/webhooks/webex")

    def interrupt(self):
        """Send Ctrl-C to the whole group, as a terminal does; answer the exit code."""
        os.killpg(self.pid, signal.SIGINT)
        return self.end()

    def kill(self):
        """kill -9 of the parent only."""
        self._process.kill()
        self.end()

    def end(self):
        """Wait until the command has ended; answer the exit code."""
        code = self._process.wait(MAX_SECONDS)
        self._process.stdout.close()
        return code

    def processes(self):
        """All processes of this data folder: the command, its children, and PostgreSQL."""
        marks = {str(self.data_dir)}
        if (cluster := self.data_dir / "postgres").exists():
            marks.add(f"projector-{cluster.stat().st_dev:x}-{cluster.stat().st_ino:x}")
        texts = {
            pid: read_proc(pid, "cmdline") + read_proc(pid, "environ")
            for pid in all_pids()
            if pid != os.getpid() and is_running(pid)
        }
        return sorted(pid for pid, text in texts.items() if any(mark in text for mark in marks))

    def part(self, name):
        """The process id of a part; None while it does not run."""
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
        return httpx.post(self.announcement["webhooks"], json=body, timeout=10)

    def get(self, path, *, token=None, after=None):
        headers = {"Authorization": f"Bearer {token or self.token}"}
        if after is not None:
            headers["X-Min-Position"] = str(after)
        return httpx.get(f"{self.root}{path}", headers=headers, timeout=10)


def logged(url, agent):
    """The ids of an agent's events, in the order of the log."""
    with psycopg.connect(url) as connection:
        rows = connection.execute(
            "SELECT event_id FROM projector.log WHERE agent_id = %(agent)s ORDER BY position",
            {"agent": agent},
        )
        return [id_ for (id_,) in rows]


class WebhookSender:
    """A thread that posts an agent's events one by one, each until it is acknowledged."""

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
        target = len(self.acknowledged) + count
        await_(lambda: len(self.acknowledged) >= target, "more acknowledged events")

    def _work(self):
        for number in itertools.count():
            if self._stop.is_set():
                return
            word = ("Idle", "Available")[number % 2]
            moment = number * 1_000
            body = v1(moment, self._agent, word) if number else login(moment, self._agent)
            self._deliver(body | {"id": f"{self._agent}-{number}"})

    def _deliver(self, body):
        deadline = time.monotonic() + MAX_SECONDS
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


def assert_complete(command, agent, sender):
    """Each acknowledged event is in the log once, and is folded once into the view."""
    assert sender.acknowledged == logged(command.url, agent)
    path = f"/api/v1/agents/{agent}?orgId={ORG}"

    def view():
        answer = command.get(path, after=sender.position)
        return answer.json() if answer.status_code == 200 else None

    folded = await_(view, "the view")
    assert len(sender.acknowledged) == folded["eventCount"]
    assert sender.acknowledged[-1] == folded["lastEvent"]["id"]
    # Meanwhile the sender may only get a broken connection or the answer 503.
    assert [] == [it for it in sender.refusals if it != 503 and not isinstance(it, str)]


def kill_all(command):
    """Send SIGKILL to each process; some end by themselves when their parent has ended."""
    for pid in command.processes():
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


@pytest.fixture(scope="module")
def command(tmp_path_factory):
    """One data folder and port for the tests of this file; at the end all processes end."""
    shared = Command(tmp_path_factory.mktemp("run") / "data")
    yield shared
    if shared.runs:
        shared.interrupt()
    kill_all(shared)


@pytest.fixture
def service(command):
    """The command, running."""
    return command if command.runs else command.start()


@pytest.fixture
def stranger():
    """The id of a running process that is not one of ours."""
    with subprocess.Popen(["sleep", "60"]) as process:
        yield process.pid
        process.kill()


# --- start and stop ---


def test_the_announced_address_answers(service):
    """The announced address has the token and opens the page; the API and /readyz answer."""
    assert (
        f"http://127.0.0.1:{service.port}/?token={service.token}" == service.announcement["address"]
    )
    page = httpx.get(service.announcement["address"], follow_redirects=True)
    assert (200, True) == (page.status_code, page.headers["Content-Type"].startswith("text/html"))
    assert 200 == service.get("/api/v1/status").status_code
    assert 401 == service.get("/api/v1/status", token="another").status_code
    assert 200 == httpx.get(f"{service.root}/readyz").status_code
    assert f"embedded PostgreSQL in {service.data_dir}" == service.announcement["database"]


def test_the_token_is_private(service):
    """The operator's token is saved in the data folder, and only its owner can read it."""
    path = service.data_dir / "operator-token"
    assert (service.token, 0o600) == (path.read_text(), path.stat().st_mode & 0o777)


def test_a_webhook_becomes_a_view(service):
    """An acknowledged event is in the view that is read after its position."""
    posted = service.post(login(0, "dora") | {"id": "dora-0"})
    assert (202, 1) == (posted.status_code, posted.json()["appended"])
    view = service.get(f"/api/v1/agents/dora?orgId={ORG}", after=posted.headers["X-Position"])
    assert ("dora", True, 1) == tuple(
        view.json()[field] for field in ("agentId", "loggedIn", "eventCount")
    )


def test_the_service_never_has_the_rights_of_the_owner(service):
    """They sign in as a role that cannot change the log, and has no rights to take back."""
    with psycopg.connect(service.url) as connection:
        users = connection.execute(
            "SELECT DISTINCT usename FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            " AND backend_type = 'client backend'"
        ).fetchall()
    assert [("projector_service",)] == users
    with psycopg.connect(service_address(service.url), autocommit=True) as connection:
        connection.execute("RESET ROLE")
        (rights,) = connection.execute(
            "SELECT rolsuper, rolcreaterole, rolcreatedb FROM pg_roles WHERE rolname = current_user"
        ).fetchall()
        assert (False, False, False) == rights
        for statement in (
            "DELETE FROM projector.events",
            "DROP TRIGGER immutable ON projector.events",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(f"SET search_path = projector; {statement}")


def test_it_is_verified_while_it_runs(service):
    """`projector verify` uses the embedded database of a running service, which runs on."""
    posted = service.post(login(0, "vera") | {"id": "vera-0"})
    service.get(f"/api/v1/agents/vera?orgId={ORG}", after=posted.headers["X-Position"])
    done = subprocess.run(
        [sys.executable, "-m", "projector", "verify", "agent:vera", "--json"],
        cwd=CHECKOUT,
        env=service.environment,
        capture_output=True,
        check=True,
    )
    report = json.loads(done.stdout)
    assert ([], 1, 1) == tuple(report[name] for name in ("differences", "subjects", "events"))
    assert 200 == httpx.get(f"{service.root}/readyz").status_code


def test_ctrl_c_ends_all_and_a_second_run_has_the_same_data(service):
    """Exit code 0, no message, no process left; then the same token, address and events."""
    before, head = service.announcement, service.get("/api/v1/status").json()["head"]
    assert 0 == service.interrupt()
    assert [] == service.processes()
    assert "" == service.stderr.read_text()
    service.start()
    assert before == service.announcement
    assert head == service.get("/api/v1/status").json()["head"]


def test_a_second_run_on_the_same_folder_is_refused(service):
    """One sentence names the folder, and the first command runs on; `migrate` uses its database."""
    other = Command(service.data_dir)
    other.stderr = service.stderr.with_name("second.stderr")
    other.begin()
    assert 1 == other.end()
    assert_sentence(other, "Another projector already runs on", str(service.data_dir))
    migrate = [sys.executable, "-m", "projector", "migrate"]
    done = subprocess.run(
        migrate, cwd=CHECKOUT, env=service.environment, capture_output=True, text=True, check=True
    )
    assert "The schema is up to date.\n" == done.stdout
    assert 200 == service.get("/api/v1/status").status_code


@pytest.mark.slow
def test_sigterm_works_like_ctrl_c(tmp_path, server):
    """SIGTERM, which service managers send: exit code 0, and no process is left."""
    with over(server, tmp_path) as one:
        os.kill(one.pid, signal.SIGTERM)
        assert 0 == one.end()
        assert [] == one.processes()


def test_ctrl_c_while_it_starts(service):
    """Exit code 0 as soon as possible; no process is left and nothing was announced."""
    service.interrupt()
    service.begin()
    await_((service.data_dir / "postgres/postmaster.pid").exists, "PostgreSQL's start")
    os.killpg(service.pid, signal.SIGINT)
    assert b"" == service._process.stdout.read()
    assert (0, "") == (service.end(), service.stderr.read_text())
    assert [] == service.processes()


# --- kill -9 of each part while webhooks arrive ---


@pytest.mark.parametrize("part", ["worker", *slow("serve", "follow", "postgres")])
def test_a_killed_part_comes_back(service, part):
    """After kill -9 the part starts again, and no acknowledged event is lost or counted twice."""
    agent = f"agent-{part}"
    with WebhookSender(service, agent) as sender:
        killed = service.part(part)
        os.kill(killed, signal.SIGKILL)
        sender.await_more()
        await_(lambda: not is_running(killed) and service.part(part) not in (None, killed), part)
        sender.await_more()
    assert_complete(service, agent, sender)
    assert service.runs
    if part == "follow":  # senders notice nothing of it
        assert [] == sender.refusals


@pytest.mark.slow
def test_a_killed_parent_is_followed_by_a_new_run(service):
    """After kill -9 of the command its orphans end, and a new run takes their port."""
    with WebhookSender(service, "agent-parent") as sender:
        orphans = [service.part(name) for name in ("serve", "worker", "follow")]
        assert None not in orphans
        service.kill()
        service.start()
        assert [] == [pid for pid in orphans if is_running(pid)]
        sender.await_more()
    assert_complete(service, "agent-parent", sender)


@pytest.mark.slow
def test_orphans_end_without_a_new_run(service):
    """After kill -9 of the command only PostgreSQL runs on, and the next run uses it."""
    orphans = [service.part(name) for name in ("serve", "worker", "follow")]
    postgres = service.part("postgres")
    assert None not in orphans
    service.kill()
    await_(lambda: not any(map(is_running, orphans)), "the orphans' end")
    assert is_running(postgres)
    service.start()
    assert postgres == service.part("postgres")


@pytest.mark.slow
def test_a_power_cut_and_a_pid_file_that_names_a_stranger(service, stranger):
    """All parts are killed, and the PID file names another program: it starts, with all events."""
    with WebhookSender(service, "agent-power") as sender:
        sender.await_more()
        killed = service.part("postgres")
        kill_all(service)
        service.end()
        assert [] == await_gone(service)
        stale = service.data_dir / "postgres/postmaster.pid"
        stale.write_text(stale.read_text().replace(str(killed), str(stranger), 1))
        service.start()
        sender.await_more()
    assert is_running(stranger)
    assert_complete(service, "agent-power", sender)


def await_gone(command):
    await_(lambda: not command.processes(), "the end of all processes")
    return command.processes()


# --- what stops a start ---


def assert_sentence(command, *parts):
    """One sentence on stderr, which contains the parts."""
    text = command.stderr.read_text()
    assert 1 == text.count("\n"), text
    assert text.endswith(".\n")
    assert [] == [part for part in parts if part not in text], text


def assert_refused(data_dir, *parts, **environment):
    """Run with these settings: one sentence, exit code 1, and no process is left."""
    command = Command(data_dir, **environment)
    command.begin()
    with command._process.stdout as stdout:
        assert b"" == stdout.read()
    assert 1 == command._process.wait(MAX_SECONDS)
    assert_sentence(command, *parts)
    assert [] == command.processes()


@pytest.mark.parametrize(
    ("setting", "value", "parts"),
    [
        ("PORT", "http", ["PORT cannot be used"]),
        ("DATABASE_URL", "postgresql://me@127.0.0.1:1/x", ["DATABASE_URL", "refused", "address"]),
        *slow(
            ("PORT", "65536", ["PORT cannot be used", "65535"]),
            ("PROJECTOR_TOKENS", "[{", ["PROJECTOR_TOKENS cannot be used", "Invalid JSON"]),
            ("PROJECTOR_WEBHOOK_SECRETS", "s", ["PROJECTOR_WEBHOOK_SECRETS cannot", "JSON"]),
            ("DATABASE_URL", "postgresql://me@no.invalid/x", ["DATABASE_URL", "no.invalid"]),
            ("DATABASE_URL", "mysql://me@host/x", ["DATABASE_URL", "postgresql://"]),
        ),
    ],
)
def test_a_setting_that_cannot_be_used(tmp_path, setting, value, parts):
    """The sentence names the setting and the reason."""
    assert_refused(tmp_path / "data", *parts, **{setting: value})


def test_an_unknown_database(tmp_path, server):
    """The sentence names the database that the server does not have."""
    url = on_database(server, "no_such_database")
    assert_refused(tmp_path / "data", "DATABASE_URL", "no_such_database", DATABASE_URL=url)


@pytest.mark.slow
def test_a_taken_port(tmp_path, server):
    """The sentence names the port and the setting."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert_refused(
            tmp_path / "data", f"Port {port}", "set PORT", DATABASE_URL=server, PORT=port
        )


@pytest.mark.parametrize("host", ["203.0.113.7", *slow("no.invalid")])
def test_a_host_of_another_machine(tmp_path, server, host):
    """The sentence names the address and the setting."""
    assert_refused(tmp_path / "data", host, "set HOST", DATABASE_URL=server, HOST=host)


def test_a_data_folder_of_another_version(tmp_path):
    """A cluster of another PostgreSQL stays unchanged; the sentence names both versions."""
    cluster = tmp_path / "data/postgres"
    cluster.mkdir(parents=True)
    (cluster / "PG_VERSION").write_text("17\n")
    assert_refused(tmp_path / "data", "made by PostgreSQL 17", "brings 18", "PROJECTOR_DATA_DIR")
    assert ["PG_VERSION"] == [path.name for path in cluster.iterdir()]


def test_a_data_folder_that_cannot_be_made(tmp_path, server):
    """The sentence names the folder, whether the cluster or only the token needs it."""
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
    """Mounts a small disk, which only root may do."""
    folder = tmp_path / "disk"
    folder.mkdir()

    def mount(megabytes):
        command = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder)]
        if (
            os.geteuid() != 0
            or subprocess.run(command, capture_output=True, check=False).returncode
        ):
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
    """The answer is 503; if the database needs space itself, the command ends. No event is lost."""
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
        if megabytes_left == 12:  # the next file of the database's log does not fit
            assert 1 == command.end()
            assert "free some space" in command.stderr.read_text().splitlines()[-1]
        filler.unlink()
        if not command.runs:
            command.start()
        last = await_(lambda: accepted(command, "full-last"), "space again")
        assert [*acknowledged, "full-last"] == logged(command.url, "full")
        view = command.get(f"/api/v1/agents/full?orgId={ORG}", after=last)
        assert len(acknowledged) + 1 == view.json()["eventCount"]
    finally:
        filler.unlink(missing_ok=True)
        if command.runs:
            assert 0 == command.interrupt()
    assert [] == command.processes()


def fill(path, left):
    """Write a file that leaves so many free bytes on its disk."""
    size = shutil.disk_usage(path.parent).free - left
    with path.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, size)


def accepted(command, id_):
    """The log's position after an accepted webhook; None if it was not accepted."""
    answer = command.post(login(900, "full") | {"id": id_})
    return answer.headers.get("X-Position")


# --- another database ---


def empty_database(server):
    name = f"run_{next(_numbers)}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
    return on_database(server, name)


class over:  # noqa: N801 - read as a word: with over(server, folder)
    """The command over an empty database of another server; it ends after the block."""

    def __init__(self, server, folder, **environment):
        url = empty_database(server)
        self._command = Command(folder / "data", DATABASE_URL=url, **environment)

    def __enter__(self):
        return self._command.start()

    def __exit__(self, *_):
        if self._command.runs:
            assert 0 == self._command.interrupt()


@pytest.mark.parametrize("host", slow("localhost", "::1", "0.0.0.0"))
def test_a_database_of_the_user(tmp_path, server, host):
    """DATABASE_URL is migrated and used, and no server starts; HOST may be a name or a number."""
    tokens = json.dumps([{"token": "mine", "role": "viewer"}])
    settings = {"PROJECTOR_TOKENS": tokens, "PROJECTOR_ALLOW_UNSIGNED": "1", "HOST": host}
    with over(server, tmp_path, **settings) as command:
        assert "as DATABASE_URL says" == command.announcement["database"]
        assert f"{command.root}/" == command.announcement["address"]
        posted = command.post(login(0, "ann") | {"id": "ann-0"})
        position = posted.headers["X-Position"]
        agents = command.get("/api/v1/agents", token="mine", after=position)
        assert ["ann"] == [view["agentId"] for view in agents.json()["data"]]
        assert not (tmp_path / "data").exists()
        postgres = [pid for pid in command.processes() if "postgres" in read_proc(pid, "comm")]
        assert [] == postgres
        assert 0 == command.interrupt()
    assert [] == command.processes()
    assert "" == command.stderr.read_text()


@pytest.mark.slow
def test_without_json_the_address_is_for_people(tmp_path, server):
    """The text has the address to open, the address for webhooks, and how to stop."""
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
        assert 0 == process.wait(MAX_SECONDS)
    text = "".join(lines)
    token = (command.data_dir / "operator-token").read_text()
    assert f"Open       http://127.0.0.1:{command.port}/?token={token}\n" in text
    assert f"Webhooks   http://127.0.0.1:{command.port}/webhooks/webex\n" in text
    assert "Ctrl-C stops everything." in text
