"""Names of the stand-in vendor's configuration in the directory: by the worker and the command."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from projector.bootstrap.worker import configured_names
from projector.cli.main import main
from projector.infrastructure.settings import read_settings
from projector.operations.configured_names import REFRESH_EVERY_SECONDS, ConfiguredNames
from projector.operations.names import NameEntry
from projector.webex.api_client import ApiClient
from projector.webex.credentials import Credentials
from projector.webex.simulator.api_faults import Faults
from projector.webex.simulator.api_records import ApiRecords
from projector.webex.simulator.api_server import ApiServer, serving
from projector.webex.simulator.contact_center import Simulation
from projector.webex.simulator.oauth_api import (
    CLIENT_ID,
    CLIENT_SECRET,
    READ,
    REFRESH_TOKEN,
)
from projector.webex.simulator.payloads import SIMULATED_ORG_ID
from tests.conftest import Site
from tests.integration.reconciling import listed

AGENTS = 130  # so that users take two pages of the vendor's size


def environment(root: str, folder: Path) -> dict[str, str]:
    return {
        "PROJECTOR_DATA_DIR": str(folder),
        "PROJECTOR_WEBEX_API": root,
        "PROJECTOR_WEBEX_OAUTH": root,
        "PROJECTOR_WEBEX_CLIENT_ID": CLIENT_ID,
        "PROJECTOR_WEBEX_CLIENT_SECRET": CLIENT_SECRET,
        "PROJECTOR_WEBEX_REFRESH_TOKEN": REFRESH_TOKEN,
    }


@pytest.fixture(scope="module")
def world() -> Simulation:
    return Simulation(AGENTS, start_ms=1_795_000_000_000)


@contextmanager
def vendor(world: Simulation, **more: Any) -> Iterator[tuple[ApiServer, str]]:
    """The stand-in that knows the names of a simulated contact centre."""
    server = ApiServer(ApiRecords(world.slots(), world.names()), **more)
    with serving(server) as root:
        yield server, root


def refresher(site: Site, root: str, folder: Path, now: list[float]) -> ConfiguredNames:
    settings = read_settings(environment(root, folder))

    def connect_vendor() -> ApiClient:
        return ApiClient(root, Credentials(settings), tries=1, sleep=lambda _: None)

    return ConfiguredNames(site.service.name_store, connect_vendor, clock=lambda: now[0])


def directory(site: Site) -> dict[tuple[str, str], tuple[str, str]]:
    """Name and source by kind and id."""
    rows = listed(site, "/api/v1/names")
    return {(it["kind"], it["id"]): (it["name"], it["source"]) for it in rows}


def test_all_pages_of_all_lists_are_kept(site, world, tmp_path):
    """Whatever the vendor makes of the page size."""
    with vendor(world, configuration_page=7) as (server, root):
        refreshed = refresher(site, root, tmp_path, [0.0]).refresh()
    kept = directory(site)
    expected = {(kind, id_): (name, "configuration") for kind, id_, name in world.names()}
    assert expected.items() <= kept.items()
    # Each agent also has the id of the configuration.
    assert AGENTS == len(kept) - len(expected)
    assert [] == refreshed.failures
    assert (2 * AGENTS, 11) == (refreshed.kept["agent"], refreshed.kept["team"])
    users = [path for _, path, _ in server.calls if path.endswith("/v2/user")]
    assert -(-AGENTS // 7) == len(users)


def test_the_operators_word_counts_more_and_that_of_rows_less(site, world, tmp_path):
    """Import before configuration before rows, whatever came last."""
    (kind, first, by_vendor), (_, second, _) = [*world.names()][:2]

    def entry(id_: str, name: str) -> NameEntry:
        return NameEntry(org_id=SIMULATED_ORG_ID, kind=kind, id=id_, name=name)

    store = site.service.name_store
    store.keep("import", [entry(second, "Ours")])
    with vendor(world) as (_, root):
        refresher(site, root, tmp_path, [0.0]).refresh()
    store.keep(
        "rows", [entry(first, "Of a row"), entry(second, "Of a row"), entry("x", "Of a row")]
    )
    kept = directory(site)
    assert (by_vendor, "configuration") == kept[kind, first]
    assert ("Ours", "import") == kept[kind, second]
    assert ("Of a row", "rows") == kept[kind, "x"]


def test_a_missing_scope_is_a_warning_once(site, world, tmp_path, caplog):
    """It names the scope; an hour later the vendor is asked again, and names come."""
    now = [0.0]
    with vendor(world) as (server, root):
        it = refresher(site, root, tmp_path, now)
        server.oauth.scopes[REFRESH_TOKEN] = ("cjp-analyzer:read",)
        with caplog.at_level(logging.WARNING):
            for minute in range(3 * 60):
                now[0] = minute * 60.0
                it.refresh_if_due()
        told = [record.getMessage() for record in caplog.records]
        assert 6 == len(told)  # one for each list
        assert all(READ in sentence for sentence in told)
        assert 3 * 6 == len([path for _, path, _ in server.calls if "/organization/" in path])
        assert {} == directory(site)
        server.oauth.scopes = {
            REFRESH_TOKEN: (READ,),
            **dict.fromkeys(server.oauth.tokens, (READ,)),
        }
        now[0] += REFRESH_EVERY_SECONDS
        it.refresh_if_due()
    assert ("A Site", "configuration") in directory(site).values()


def test_a_list_that_is_refused_stops_no_other(site, world, tmp_path):
    with vendor(world, faults=Faults(plan={1: "403"})) as (_, root):
        # The second list is asked by call 3, since users are two pages.
        refreshed = refresher(site, root, tmp_path, [0.0]).refresh()
    assert 1 == len(refreshed.failures)
    kinds = {kind for kind, _ in directory(site)}
    assert {"team", "queue", "site", "idleCode", "wrapUpCode", "entryPoint"} == kinds


def test_an_api_out_of_reach_is_a_warning(site, world, tmp_path, caplog):
    """Names that are kept stay; the other lists, at the same address, are not asked."""
    now = [0.0]
    with vendor(world) as (server, root):
        it = refresher(site, root, tmp_path, now)
        it.refresh_if_due()
        server.faults = Faults(every={1: "500"})
        before, calls, now[0] = directory(site), len(server.calls), REFRESH_EVERY_SECONDS
        with caplog.at_level(logging.WARNING):
            it.refresh_if_due()
        assert 1 == len(server.calls) - calls
    assert 1 == len(caplog.records)
    assert "does not answer" in caplog.text
    assert before == directory(site)


def test_without_credentials_nothing_is_asked(site, tmp_path):
    settings = read_settings({"PROJECTOR_DATA_DIR": str(tmp_path)})
    it = configured_names(settings, site.service.pool)
    assert it.refresh() is None
    it.refresh_if_due()
    assert {} == directory(site)


def command(site: Site, variables: dict[str, str], *words: str) -> Result:
    variables = {"DATABASE_URL": site.url} | variables
    return CliRunner().invoke(main, ["names", "refresh", *words], env=variables)


def test_the_command_refreshes_now(site, world, tmp_path):
    """Exit code 1 where a list could not be read."""
    with vendor(world) as (server, root):
        done = command(site, environment(root, tmp_path))
        assert (0, "") == (done.exit_code, done.stderr), done.output
        assert f"Names read: {2 * AGENTS} agent, 11 team," in done.stdout
        server.oauth.scopes = dict.fromkeys([REFRESH_TOKEN, *server.oauth.tokens], ())
        refused = command(site, environment(root, tmp_path), "--json")
    assert 1 == refused.exit_code
    assert {} == json.loads(refused.stdout)["kept"]
    assert READ in refused.stderr
    assert 2 * AGENTS == len([kind for kind, _ in directory(site) if kind == "agent"])


def test_the_command_needs_credentials(site, tmp_path):
    done = command(site, {"PROJECTOR_DATA_DIR": str(tmp_path)})
    assert 1 == done.exit_code
    assert "projector connect" in done.stderr
