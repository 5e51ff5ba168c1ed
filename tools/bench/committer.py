"""Intake from many threads: against the same without the append, and without grouping."""

from __future__ import annotations

import hmac
import threading
import time
from collections.abc import Iterator, Sequence

from projector.bootstrap.service import POOL_CONNECTIONS
from projector.event_log.intake import Intake
from projector.event_log.store import EventStore
from projector.infrastructure.database import open_pool
from projector.infrastructure.settings import Settings, read_settings
from tools.bench.ground import Bodies
from tools.bench.measure import Case, Comparison, Sample
from tools.bench.stubs import NoAppend, NoGroup

PART = "committer"
GROUPED, NOTHING, ALONE = "group commit", "no append", "a commit each"
SECRET = "bench"


def measure(url: str, *, rounds: int, threads: int, each: int) -> Iterator[Comparison]:
    settings = signed_settings()
    pool = open_pool(url, max_size=POOL_CONNECTIONS)
    intakes = {
        GROUPED: Intake(EventStore(pool), settings),
        NOTHING: Intake(NoAppend(), settings),
        ALONE: _without_groups(EventStore(pool), settings),
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
    pool.close()
    yield from case.comparisons()


def signed_settings() -> Settings:
    return read_settings({"PROJECTOR_WEBHOOK_SECRETS": f'{{"*": ["{SECRET}"]}}'})


def sign(body: bytes) -> str:
    return hmac.digest(SECRET.encode(), body, "sha256").hex()


def _without_groups(store: EventStore, settings: Settings) -> Intake:
    intake = Intake(store, settings)
    intake._committer.close()
    intake._committer = NoGroup(store)
    return intake


def _run(intake: Intake, bodies: Bodies, threads: int, each: int) -> Sample:
    signed = [[(body, sign(body)) for body in bodies.take(each)] for _ in range(threads)]
    ready, appended = threading.Barrier(threads + 1), [0] * threads
    crew = [
        threading.Thread(target=_post, args=(intake, own, ready, appended, number))
        for number, own in enumerate(signed)
    ]
    for thread in crew:
        thread.start()
    ready.wait()
    begin = time.monotonic()
    for thread in crew:
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
