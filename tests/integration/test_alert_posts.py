"""Posts of alerts: signed, at least once, in their order, and given up at some time."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Barrier, Event, Lock, Thread
from typing import Any

import httpx
import psycopg
import pytest
from click.testing import CliRunner, Result

from projector.cli.main import main
from projector.domain.deadlines import TELEPHONY
from projector.infrastructure.clock import now_ms
from projector.operations.alerts import receiver as receiver_module
from projector.operations.alerts.loop import AlertLoop, running
from projector.operations.alerts.posting import PAUSES_SECONDS, AlertPosting
from projector.operations.alerts.receiver import AlertReceiver, PostAnswer
from projector.operations.alerts.watch import FAILED_DAYS, MOST_LAG_MS, AlertWatch
from tests.conftest import Site, open_site, served
from tests.examples import ORG, RECORDED, story, task, v1

MINUTE = 60_000
DAY = 24 * 60 * MINUTE
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
START = RECORDED - 60 * MINUTE
NOON = START - 1_767_225_600_000
CUT, HANG, FLOOD = 0, 1, 2  # in place of a status


@dataclass(kw_only=True)
class SignedPost:
    """A request that the receiver got, checked by the specification."""

    id: str
    timestamp: int
    body: dict[str, Any]

    @property
    def told(self) -> tuple[str, str, str]:
        data = self.body["data"]
        return self.body["type"], data["agentId"] or data["queueId"], data["level"]


@dataclass(kw_only=True)
class Book:
    """What a receiver answers, and what it got. The last answer is given again and again."""

    url: str = ""
    answers: list[int] = field(default_factory=lambda: [204])
    posts: list[SignedPost] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    pause: float = 0.0  # seconds before an answer
    most_at_a_time: int = 0

    @property
    def told(self) -> list[tuple[str, str, str]]:
        return [it.told for it in self.posts]


def checked(headers: Any, raw: bytes) -> SignedPost:
    """A signed request, read by the text of the specification and by none of our code."""
    message_id, timestamp = headers["webhook-id"], headers["webhook-timestamp"]
    version, signature = headers["webhook-signature"].split(",")
    key = base64.b64decode(SECRET.removeprefix("whsec_"), validate=True)
    signed = message_id.encode() + b"." + timestamp.encode() + b"." + raw
    expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    assert ("v1", expected) == (version, signature)
    assert "." not in message_id
    assert abs(int(timestamp) - time.time()) < 60
    assert "application/json" == headers["content-type"]
    body = json.loads(raw)
    assert {"type", "timestamp", "data"} == body.keys()
    return SignedPost(id=message_id, timestamp=int(timestamp), body=body)


@contextmanager
def receiving() -> Iterator[Book]:
    """A receiver on loopback."""
    book, lock, at_a_time = Book(), Lock(), [0]

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            raw = self.rfile.read(int(self.headers["Content-Length"]))
            with lock:
                at_a_time[0] += 1
                book.most_at_a_time = max(book.most_at_a_time, at_a_time[0])
                book.paths.append(self.path)
                book.posts.append(checked(self.headers, raw))
                answer = book.answers[min(len(book.posts), len(book.answers)) - 1]
            time.sleep(book.pause)
            with lock:
                at_a_time[0] -= 1
            self.close_connection = True
            if answer == HANG:
                time.sleep(6)
            if answer in {CUT, HANG}:
                return
            self.send_response_only(200 if answer == FLOOD else answer)
            self.send_header("Location", "/elsewhere")
            self.send_header("Content-Length", str(1 << 40 if answer == FLOOD else 0))
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    book.url = f"http://127.0.0.1:{server.server_port}/hook?key=k"
    try:
        yield book
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@dataclass(kw_only=True)
class Floor:
    """A floor, its clock, and what watches over it."""

    site: Site
    book: Book
    now: int = START

    def __call__(self) -> int:
        return self.now

    def tell(self, *bodies: Any) -> None:
        self.site.post([*bodies])
        self.site.project()

    def watch(self) -> AlertWatch:
        return AlertWatch(self.site.service.pool, self.site.service.alerts, clock=self)

    def posting(self, receiver: Any = None) -> AlertPosting:
        own = receiver or AlertReceiver(self.book.url, SECRET)
        return AlertPosting(self.site.service.pool, own, clock=self)

    def at(self, minute: float) -> None:
        """Let it be a time, look, and post."""
        self.now = START + round(minute * MINUTE)
        self.watch().check()
        self.posting().post_due()

    def posts_of_meta(self) -> dict[str, int]:
        found: dict[str, int] = self.site.get("/api/v1/alerts").json["meta"]["posts"]
        assert found == self.site.get("/api/v1/status").json["alertPosts"]
        return found


IDLE = v1(NOON, "ann", "idle") | {"id": "idle"}
READY = v1(NOON + 40 * MINUTE, "ann", "available") | {"id": "ready"}
RAISED, RISEN = ("alert.raised", "ann", "amber"), ("alert.raised", "ann", "red")
ENDED = ("alert.ended", "ann", "red")


@pytest.fixture
def book() -> Iterator[Book]:
    with receiving() as receiver:
        yield receiver


@pytest.fixture
def floor(database_url: str, tmp_path: Path, book: Book) -> Iterator[Floor]:
    """Ann is idle from the start on: amber after 15 minutes, red after 30."""
    made: list[Floor] = []
    with open_site(database_url, tmp_path, clock=lambda: made[0].now if made else START) as site:
        made.append(Floor(site=site, book=book))
        made[0].tell(IDLE)
        yield made[0]


# --- what is posted ---


def test_an_alert_is_posted_when_it_begins_rises_and_ends(floor: Floor, book: Book) -> None:
    """Each once, however often the watch looks; with the row as the API has it."""
    told = {}
    for minute in (14.9, 15, 16, 29.9, 30, 35):
        floor.at(minute)
        told[minute] = book.told[:]
    two = [RAISED, RISEN]
    assert {14.9: [], 15: [RAISED], 16: [RAISED], 29.9: [RAISED], 30: two, 35: two} == told
    (row,) = floor.site.get("/api/v1/alerts").json["data"]
    assert row | {"value": 30 * MINUTE} == book.posts[1].body["data"]
    floor.now = START + 41 * MINUTE
    floor.tell(READY)
    floor.at(41)
    floor.at(42)
    assert [RAISED, RISEN, ENDED] == book.told
    ended = book.posts[2].body
    assert book.posts[1].body["data"] == ended["data"]
    assert "2026-01-01T19:41:00.000Z" == ended["timestamp"]
    assert 3 == len({it.id for it in book.posts})
    assert {"/hook?key=k"} == {*book.paths}
    assert {"pending": 0, "failed": 0} == floor.posts_of_meta()


def test_a_level_that_falls_is_told_by_its_next_rise(floor: Floor, book: Book) -> None:
    """A queue that had three and has two waiting tasks is amber again: it is not told."""
    rules = [
        {"subject": "queue", "measure": "waiting", "queueId": "q", "amber": 2, "red": 3},
        {"subject": "queue", "measure": "longestWaitMs", "channelType": TELEPHONY},
    ]
    body = {"rules": rules, "why": "test", "version": 0}
    floor.site.client.put("/api/v1/thresholds", json=body, headers=floor.site.headers)

    def word(name: str, word: str, minute: int) -> Any:
        told = task(NOON + minute * MINUTE, name, word, queueId="q")
        return told | {"id": f"{name} {word}"}

    for minute, bodies in enumerate(
        (
            [word(name, "parked", 0) for name in ("t1", "t2", "t3")],
            [word("t1", "connected", 1)],
            [word("t4", "parked", 2)],
            [word(name, "connected", 3) for name in ("t2", "t3", "t4")],
        )
    ):
        floor.now = START + minute * MINUTE
        floor.tell(*bodies)
        floor.at(minute)
    assert [
        ("alert.raised", "q", "red"),
        ("alert.raised", "q", "red"),
        ("alert.ended", "q", "red"),
    ] == book.told


def test_an_alert_that_is_over_before_its_post_is_told_in_order(floor: Floor, book: Book) -> None:
    """The end waits until the receiver has the beginning; those of others do not."""
    floor.tell(v1(NOON, "bob", "idle") | {"id": "bob"})
    book.answers = [500, 204]
    floor.at(15)
    floor.tell(v1(NOON + 15 * MINUTE, "ann", "available") | {"id": "soon"})
    floor.watch().check()
    first = book.posts[0].told[1]
    (second,) = {"ann", "bob"} - {first}
    floor.posting().post_due()
    posted = [it.told[:2] for it in book.posts]
    ahead = [("alert.raised", second)] + ([("alert.ended", "ann")] if second == "ann" else [])
    assert [("alert.raised", first), *ahead] == posted
    floor.at(16)
    every = [it.told[:2] for it in book.posts[1:]]
    assert every.index(("alert.raised", "ann")) < every.index(("alert.ended", "ann"))
    assert 3 == len(every)


def test_views_that_are_behind_raise_and_end_nothing(floor: Floor, book: Book) -> None:
    """They do not say what is so now."""
    floor.now = START + 20 * MINUTE
    floor.site.post([READY | {"id": "not folded"}])
    floor.now += MOST_LAG_MS + 1
    assert 0 == floor.watch().check()
    floor.site.project()
    floor.tell(v1(NOON, "bob", "idle") | {"id": "bob"})
    assert 1 == floor.watch().check()


# --- until it is taken ---


@pytest.mark.parametrize("answer", [500, 429, 404, 302, 307, CUT])
def test_what_is_not_taken_is_posted_again(floor: Floor, book: Book, answer: int) -> None:
    """After a pause, under its own id and signed anew; a redirect is not followed."""
    book.answers = [answer, 204]
    floor.at(15)
    assert {"pending": 1, "failed": 0} == floor.posts_of_meta()
    floor.at(15 + 4.9 / 60)
    assert 1 == len(book.posts)
    floor.at(15 + 5 / 60)
    assert [RAISED, RAISED] == book.told
    assert book.posts[0].id == book.posts[1].id
    assert ["/hook?key=k"] * 2 == book.paths
    assert {"pending": 0, "failed": 0} == floor.posts_of_meta()


def test_a_receiver_that_is_not_there_is_asked_again(floor: Floor) -> None:
    """Also one whose name nobody knows."""
    floor.now = START + 15 * MINUTE
    floor.watch().check()
    for url in ("http://127.0.0.1:9/", "https://no-such-host.invalid/"):
        floor.posting(AlertReceiver(url, SECRET)).post_due()
        floor.now += MINUTE
    assert {"pending": 1, "failed": 0} == floor.posts_of_meta()
    floor.posting().post_due()
    assert [RAISED] == floor.book.told


def test_a_receiver_that_does_not_answer_is_left(
    floor: Floor, book: Book, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the timeout."""
    monkeypatch.setattr(receiver_module, "POST_TIMEOUT", httpx.Timeout(0.3))
    book.answers = [HANG, 204]
    begun = time.monotonic()
    floor.at(15)
    assert time.monotonic() - begun < 5
    assert {"pending": 1, "failed": 0} == floor.posts_of_meta()


def test_the_body_of_an_answer_is_not_read(floor: Floor, book: Book) -> None:
    """However long it says it is."""
    book.answers = [FLOOD]
    floor.at(15)
    assert {"pending": 0, "failed": 0} == floor.posts_of_meta()


def test_a_post_is_given_up_at_last(floor: Floor, book: Book) -> None:
    """With growing pauses; then it is kept for a month, and others go on."""
    book.answers = [503] * (len(PAUSES_SECONDS) + 1) + [204]
    floor.at(15)
    for attempt, pause in enumerate(PAUSES_SECONDS, 1):
        assert attempt == len(book.posts)
        assert {"pending": 1, "failed": 0} == floor.posts_of_meta()
        floor.now += pause * 1_000 - 1
        floor.posting().post_due()
        assert attempt == len(book.posts)
        floor.now += 1
        floor.posting().post_due()
    assert {"pending": 0, "failed": 1} == floor.posts_of_meta()
    assert 1 == len({it.id for it in book.posts})
    with psycopg.connect(floor.site.url) as connection:
        (error,) = connection.execute("SELECT last_error FROM projector.alert_posts").fetchone()
    assert error.startswith("503")
    floor.watch().check()
    floor.posting().post_due()
    assert RISEN == book.told[-1]
    assert {"pending": 0, "failed": 1} == floor.posts_of_meta()
    floor.now += FAILED_DAYS * DAY + 1
    floor.watch().check()
    assert 0 == floor.posts_of_meta()["failed"]


def test_a_receiver_that_is_gone_gets_no_second_try(floor: Floor, book: Book) -> None:
    """410 says so, by the specification."""
    book.answers = [410]
    floor.at(15)
    assert {"pending": 0, "failed": 1} == floor.posts_of_meta()


# --- restarts, and several workers ---


def test_a_restart_between_raising_and_posting_loses_nothing(floor: Floor, book: Book) -> None:
    """And raises nothing twice: what was raised stands in the database."""
    floor.now = START + 15 * MINUTE
    assert 1 == floor.watch().check()
    assert 0 == floor.watch().check()
    assert [] == book.told
    floor.posting().post_due()
    assert [RAISED] == book.told


def test_a_crash_after_the_post_posts_again_under_the_same_id(floor: Floor, book: Book) -> None:
    """At least once: the receiver knows it by the id."""
    own = AlertReceiver(book.url, SECRET)

    class Crashing:
        def post(self, message_id: str, body: str) -> PostAnswer:
            own.post(message_id, body)
            raise SystemExit

    floor.now = START + 15 * MINUTE
    floor.watch().check()
    with pytest.raises(SystemExit):
        floor.posting(Crashing()).post_due()
    floor.posting().post_due()
    assert [RAISED, RAISED] == book.told
    assert 1 == len({it.id for it in book.posts})


def test_a_crash_within_the_watch_raises_again(
    floor: Floor, book: Book, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The alert that is open and its post are one transaction."""
    floor.now = START + 15 * MINUTE
    with monkeypatch.context() as patch:
        patch.setattr("projector.operations.alerts.watch._FORGET", "SELECT 1 / 0")
        with pytest.raises(psycopg.errors.DivisionByZero):
            floor.watch().check()
    floor.at(15)
    assert [RAISED] == book.told


def together(work: Callable[[], object], count: int = 4) -> None:
    """Do some work in several threads that begin at once."""
    begin = Barrier(count)

    def one() -> None:
        begin.wait()
        work()

    threads = [Thread(target=one) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_workers_at_a_time_post_each_alert_once(
    floor: Floor, book: Book, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither the watches raise it twice, nor is a message posted by two of them."""
    monkeypatch.setattr("projector.operations.alerts.posting.POSTING_SECONDS", 60.0)
    floor.tell(*story(*(v1(NOON, f"a{n}", "idle") for n in range(6))))
    floor.now = START + 15 * MINUTE
    book.pause = 0.15
    together(lambda: floor.watch().check())
    assert {"pending": 7, "failed": 0} == floor.posts_of_meta()
    together(lambda: floor.posting().post_due())
    assert 7 == len(book.posts) == len({it.id for it in book.posts})
    assert book.most_at_a_time > 1


def test_the_loop_posts_and_ends(floor: Floor, book: Book) -> None:
    """A thread beside the worker's jobs; it ends with them, also while posts fail."""
    floor.now = START + 15 * MINUTE
    stop = Event()
    with running(AlertLoop(floor.watch(), floor.posting()), stop):
        deadline = time.monotonic() + 10
        while not book.posts:
            assert time.monotonic() < deadline
            time.sleep(0.02)
    assert stop.is_set()
    assert [RAISED] == book.told
    with running(None, stop):
        pass


@pytest.mark.slow
def test_the_workers_process_posts(database_url: str, tmp_path: Path, book: Book) -> None:
    """`projector work` raises what is so, and is killed; the next one ends it."""
    environment = {
        **os.environ,
        "DATABASE_URL": database_url,
        "PROJECTOR_DATA_DIR": str(tmp_path),
        "PROJECTOR_ALERT_URL": book.url,
        "PROJECTOR_ALERT_SECRET": SECRET,
    }
    environment.pop("PROJECTOR_STARTED_BY", None)

    ended = ("alert.ended", "ann", "amber")

    def work_until(told: tuple[str, str, str], number: int) -> int:
        process = subprocess.Popen([sys.executable, "-m", "projector", "work"], env=environment)
        try:
            deadline = time.monotonic() + 30
            while told not in book.told:
                assert time.monotonic() < deadline
                time.sleep(0.05)
        finally:
            process.send_signal(number)
        return process.wait(timeout=15)

    dawn = now_ms() - 1_767_225_600_000
    with open_site(database_url, tmp_path) as site:
        site.post([v1(dawn - 20 * MINUTE, "ann", "idle") | {"id": "idle"}])
        site.project()
        assert -signal.SIGKILL == work_until(RAISED, signal.SIGKILL)
        site.post([v1(dawn, "ann", "available") | {"id": "ready"}])
        site.project()
        assert 0 == work_until(ended, signal.SIGTERM)
    # A post that was taken and not noted any more comes again, under the same id.
    assert [RAISED, ended] == [*{it.id: it.told for it in book.posts}.values()]


# --- the signature ---


def test_the_signature_is_that_of_the_specifications_example() -> None:
    """The vector that the libraries of Standard Webhooks publish."""
    receiver = AlertReceiver("https://x.example/", SECRET)
    signed = receiver.signature(
        "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, '{"test": 2432232314}'
    )
    assert "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=" == signed


# --- the command ---


def command(*words: str, **environment: str) -> Result:
    names = ("PROJECTOR_ALERT_URL", "PROJECTOR_ALERT_SECRET")
    given = {name: environment.get(name, "") for name in names}
    return CliRunner().invoke(main, ["alerts", *words], env={**given, **environment})


def test_the_command_posts_a_test_and_tells_the_answer(book: Book) -> None:
    """Once; it fails where the receiver does not take it, and nothing tells the whole address."""
    settings = {"PROJECTOR_ALERT_URL": book.url, "PROJECTOR_ALERT_SECRET": SECRET}
    book.answers = [204, 503, CUT]
    taken = command("test", **settings)
    assert (0, "") == (taken.exit_code, taken.stderr)
    assert "127.0.0.1 took the test alert (204" in taken.stdout
    assert book.posts[0].id in taken.stdout
    refused = command("test", **settings)
    assert (1, "") == (refused.exit_code, refused.stdout)
    assert "did not take the test alert (503" in refused.stderr
    cut = command("test", "--json", **settings)
    assert 1 == cut.exit_code
    told = json.loads(cut.stdout)
    assert (False, None) == (told["taken"], told["status"])
    assert [("alert.test", "test", "amber")] * 3 == book.told
    assert not [it for it in (taken, refused, cut) if "key=k" in it.output]


def test_the_command_needs_an_address() -> None:
    result = command("test")
    assert 1 == result.exit_code
    assert "PROJECTOR_ALERT_URL is not set" in result.stderr


def test_the_command_lists_alerts(floor: Floor) -> None:
    """Those of the running service."""
    environment = {"PROJECTOR_DATA_DIR": str(floor.site.service.settings.data_dir)}
    with served(floor.site.client.application) as address:
        assert "There are no alerts.\n" == command("list", "--url", address, **environment).stdout
        floor.now = START + 31 * MINUTE
        table = command("list", "--url", address, **environment).stdout.splitlines()
        assert ["red", "agent", ORG, "ann", "idle"] == table[1].split()[:5]
        (row,) = json.loads(command("list", "--url", address, "--json", **environment).stdout)
        assert ("red", "ann") == (row["level"], row["agentId"])
