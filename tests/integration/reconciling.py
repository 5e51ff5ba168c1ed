"""A simulated day: webhooks bring a part of it, and the stand-in vendor has the rest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import Any

from projector.infrastructure.clock import now_ms
from projector.infrastructure.settings import read_settings
from projector.operations.job_queue import JobFailed, JobIncomplete, JobQueue
from projector.operations.reconciliation.run import Reconciler
from projector.webex.api_client import ApiClient
from projector.webex.credentials import Credentials
from projector.webex.simulator.api_records import ApiRecords
from projector.webex.simulator.contact_center import Simulation
from projector.webex.simulator.network import disturb
from projector.webex.simulator.oauth_api import CLIENT_ID, CLIENT_SECRET, REFRESH_TOKEN
from projector.webex.simulator.payloads import Versions, WebhookBody
from projector.webex.simulator.task_records import ChildMarks
from tests.conftest import Site

HOUR_MS = 3_600_000
END = 1_795_000_000_000  # a day's, epoch ms: the same day in every run
POSTED_TOGETHER = 200


@dataclass(frozen=True, kw_only=True)
class Day:
    """All webhooks of ``[start, end)`` (epoch ms), and those of them that arrived."""

    start: int
    end: int
    truth: Sequence[WebhookBody]
    deliveries: Sequence[WebhookBody]
    records: ApiRecords

    @property
    def lost(self) -> list[WebhookBody]:
        delivered = {body["id"] for body in self.deliveries}
        return [body for body in self.truth if body["id"] not in delivered]


def live(
    *,
    hours: float,
    agents: int,
    seed: int = 1,
    lose: float = 0.05,
    duplicate: float = 0.05,
    late: float = 0.1,
    versions: Versions = "2",
    skew_ms: int = 0,
    spare: Callable[[list[WebhookBody]], set[str]] = lambda _: set(),
    child_marks: ChildMarks = "all",
) -> Day:
    """A day of the past; ``spare`` names the ids of events that must not be lost.

    The vendor's rows are ``skew_ms`` later than the webhooks of the same events; ``child_marks``
    says which rows of a child task tell that they are.
    """
    end = END
    start = end - round(hours * HOUR_MS)
    world = Simulation(agents, seed, start_ms=start, versions=versions)
    truth = [*takewhile(lambda body: body["data"]["createdTime"] < end, world)]
    records = ApiRecords(world.slots(), child_marks=child_marks)
    for body in truth:
        data = body["data"]
        records.add(body | {"data": data | {"createdTime": data["createdTime"] + skew_ms}})
    fates = {"lose": lose, "duplicate": duplicate, "late": late}
    deliveries = [it.body for it in disturb(truth, **fates, seed=seed, counters=Counter())]
    missing = spare(truth) - {body["id"] for body in deliveries}
    deliveries += [body for body in truth if body["id"] in missing]
    return Day(start=start, end=end, truth=truth, deliveries=deliveries, records=records)


def deliver(site: Site, bodies: Sequence[WebhookBody]) -> None:
    for first in range(0, len(bodies), POSTED_TOGETHER):
        assert site.post(bodies[first : first + POSTED_TOGETHER]).status_code == 202
    site.project()


def credentials(root: str, folder: Path, **changed: str) -> Credentials:
    """Credentials that the stand-in at a root accepts."""
    return Credentials(
        read_settings(
            {
                "PROJECTOR_DATA_DIR": str(folder),
                "PROJECTOR_WEBEX_API": root,
                "PROJECTOR_WEBEX_OAUTH": root,
                "PROJECTOR_WEBEX_CLIENT_ID": CLIENT_ID,
                "PROJECTOR_WEBEX_CLIENT_SECRET": CLIENT_SECRET,
                "PROJECTOR_WEBEX_REFRESH_TOKEN": REFRESH_TOKEN,
                **changed,
            }
        )
    )


def reconciler(
    site: Site, root: str, folder: Path, *, clock: Callable[[], int] = now_ms, **changed: str
) -> Reconciler:
    """A reconciler with the stand-in at a root; it does not wait before retries."""
    return Reconciler(
        pool=site.service.pool,
        store=site.service.store,
        connect=lambda: ApiClient(root, credentials(root, folder, **changed), sleep=lambda _: None),
        views_position=lambda: _caught_up(site),
        name_store=site.service.name_store,
        clock=clock,
    )


def reconcile(
    site: Site,
    root: str,
    folder: Path,
    *,
    changed: Mapping[str, str] | None = None,
    clock: Callable[[], int] = now_ms,
    **asked: Any,
) -> dict[str, Any]:
    """Run a reconciliation to its end, and return its report with its ``status``.

    JobFailed where it fails.
    """
    jobs = JobQueue(site.service.pool)
    asked = {"agentIds": [], "dryRun": False} | asked
    jobs.enqueue("reconciliation", asked, who="test", why=None)
    claimed = jobs.claim()
    assert claimed is not None
    status, error = "completed", None
    try:
        reconciler(site, root, folder, clock=clock, **changed or {}).run(claimed)
    except JobIncomplete as incomplete:
        status, error = "incomplete", str(incomplete)
    except JobFailed as failed:
        jobs.finish(claimed, "failed", str(failed))
        raise
    jobs.finish(claimed, status, error)
    return claimed.report | {"status": status}


def _caught_up(site: Site) -> int:
    site.project()
    return site.service.views.position()


def listed(site: Site, path: str, **query: Any) -> Iterator[dict[str, Any]]:
    """All rows of a list."""
    cursor = None
    while True:
        asked = {**query, "limit": 1_000} | ({"cursor": cursor} if cursor else {})
        page = site.get(path, query_string=asked).json
        yield from page["data"]
        cursor = page["meta"]["nextCursor"]
        if cursor is None:
            return
