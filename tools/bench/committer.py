"""Intake from many threads, beside intake without the append and intake without grouping."""

from __future__ import annotations

import hmac
import threading
import time
from collections.abc import Iterator, Sequence

from projector.bootstrap.service import SERVICE_CONNECTIONS
from projector.event_log.delivery_monitor import DeliveryMonitor
from projector.event_log.intake import Intake
from projector.event_log.store import EventStore
from projector.infrastructure.database import open_pool
from projector.infrastructure.settings import read_settings
from projector.webex.webhook_secrets import WebhookSecrets
from tools.bench.ground import Bodies
from tools.bench.measure import Case, Comparison, Sample
from tools.bench.stubs import NoAppend, NoGroup

PART = "committer"
GROUPED, NOTHING, ALONE = "group commit", "no append", "a commit each"
SECRET = "bench"


def measure(url: str, *, rounds: int, threads: int, each: int) -> Iterator[Comparison]:
    pool = open_pool(url, max_size=SERVICE_CONNECTIONS)
    monitor = DeliveryMonitor(pool, lambda: {SECRET})
    intakes = {
        GROUPED: _intake(EventStore(pool), monitor),
        NOTHING: _intake(NoAppend(), monitor),
        ALONE: _intake_without_groups(EventStore(pool), monitor),
    }
    bodies = Bodies()
    case = Case(part=PART, name=f"{threads} threads", pairs=[(GROUPED, NOTHING), (GROUPED, ALONE)])
    for intake in intakes.values():
        _run(intake, bodies, threads, 4)
    for _ in range(rounds):
        for name, intake in intakes.items():
            case.add(name, _run(intake, bodies, threads, each))
    for intake in intakes.values():
        intake.close()
    monitor.close()
    pool.close()
    yield from case.comparisons()


def sign(body: bytes) -> str:
    return hmac.digest(SECRET.encode(), body, "sha256").hex()


def _intake(store: EventStore, monitor: DeliveryMonitor) -> Intake:
    settings = read_settings({"PROJECTOR_WEBHOOK_SECRETS": f'{{"*": ["{SECRET}"]}}'})
    return Intake(store, settings, WebhookSecrets(settings), monitor)


def _intake_without_groups(store: EventStore, monitor: DeliveryMonitor) -> Intake:
    intake = _intake(store, monitor)
    intake._committer.close()
    intake._committer = NoGroup(store)
    return intake


def _run(intake: Intake, bodies: Bodies, threads: int, each: int) -> Sample:
    signed = [[(body, sign(body)) for body in bodies.take(each)] for _ in range(threads)]
    ready, appended = threading.Barrier(threads + 1), [0] * threads
    workers = [
        threading.Thread(target=_post, args=(intake, of_thread, ready, appended, number))
        for number, of_thread in enumerate(signed)
    ]
    for thread in workers:
        thread.start()
    ready.wait()
    begin = time.monotonic()
    for thread in workers:
        thread.join()
    seconds = time.monotonic() - begin
    assert sum(appended) == threads * each
    return Sample(events=threads * each, seconds=seconds)


def _post(
    intake: Intake,
    signed: Sequence[tuple[bytes, str]],
    ready: threading.Barrier,
    appended: list[int],
    number: int,
) -> None:
    ready.wait()
    for body, signature in signed:
        receipt = intake.accept(body, signature, {"Content-Type": "application/json"})
        appended[number] += receipt.counts["appended"]
