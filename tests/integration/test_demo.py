"""`projector demo --recorded` against a service: what it sends, and what it shows."""

import json

import httpx
import pytest
from click.testing import CliRunner

from projector.cli import service_client
from projector.cli.main import main
from projector.cli.recorded_demo import REPEATED
from projector.webex.simulator import captured_webhooks as captured


@pytest.fixture
def answering(site, monkeypatch):
    """The command's requests reach the site, whose views are up to date for each."""

    def request(method, url, *, headers, timeout, **given):
        site.project()
        answer = site.client.open(
            httpx.URL(url).path,
            method=method,
            headers=headers | site.headers,
            query_string=given.get("params"),
            json=given.get("json"),
        )
        return httpx.Response(answer.status_code, content=answer.data)

    monkeypatch.setattr(service_client.httpx, "request", request)


def test_the_demo_shows_the_agents_and_tasks_of_its_webhooks(answering):
    """Every event is new at the first run, and the rest are duplicates."""
    words = (["demo", "--recorded"], ["demo", "--recorded", "--json"])
    first, again = (CliRunner().invoke(main, it) for it in words)
    sent = len(captured.ALL) + REPEATED
    counts = f"{sent} received, {len(captured.ALL)} appended, {REPEATED} duplicates, "
    assert (0, True) == (first.exit_code, first.stdout.startswith(counts)), first.output
    answer = json.loads(again.stdout)
    assert (sent, sent) == (answer["counts"]["received"], answer["counts"]["duplicates"])
    for name in ("agents", "tasks"):
        assert f"{name.title()} ({len(answer[name])})\n{name[:-1]}Id" in first.stdout
        assert answer[name] != []
