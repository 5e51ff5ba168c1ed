"""`projector report`: the reports of the running service as tables and as CSV."""

from __future__ import annotations

import pytest
from click.testing import CliRunner, Result

from projector.cli.main import main
from projector.operations.names import NameEntry
from tests.conftest import served
from tests.examples import ORG, at, ended, login, story, task, v1

SPAN = ("--from", str(at(0)), "--to", str(at(3_600_000)))


@pytest.fixture
def report(site):
    """Asks a running service that was told of one call."""
    site.post(
        [
            *story(
                login(0, "ann", "Available"),
                task(1_000, "t", "parked", queueId="sales"),
                task(31_000, "t", "connected", queueId="sales"),
                v1(31_000, "ann", "connected", "t"),
                ended(91_000, "t"),
                v1(91_000, "ann", "available", "t"),
            )
        ]
    )
    site.project()
    with served(site.client.application) as address:

        def ask(name: str, *arguments: str) -> Result:
            environment = {"PROJECTOR_DATA_DIR": str(site.service.settings.data_dir)}
            words = ["report", name, "--url", address, *arguments]
            return CliRunner().invoke(main, words, env=environment)

        yield ask


def test_a_report_is_a_table(report):
    """Times are those of the zone; lengths and shares are for the eye."""
    head, line = report("queues", *SPAN, "--tz", "Europe/Berlin").output.splitlines()
    assert ["from", "to", "orgId", "queueId"] == head.split()[:4]
    cells = dict(zip(head.split(), line.split(), strict=True))
    assert ("2026-01-01T01:00:00+01:00", "2026-01-01T02:00:00+01:00") == (
        cells["from"],
        cells["to"],
    )
    assert ("0:00:30", "0:01:00", "0.0%", "0:00:30") == tuple(
        cells[name] for name in ("wait", "talk", "serviceLevel", "asa")
    )
    (_, line) = report("agents", *SPAN, "--interval", "1h").output.splitlines()
    assert "available 0:59:00, connected 0:01:00" in line
    assert "2026-01-01T00:00:00+00:00" in line
    assert "Nothing was counted.\n" == report("queues", *SPAN, "--queue", "care").output


def test_a_report_is_csv(report):
    """As the service exports it, in ms."""
    text = report("queues", *SPAN, "--csv", "--queue", "sales", "--queue", "care").output
    head, line = text.splitlines()
    assert head.startswith("from,to,orgId,queueId,")
    assert line.startswith(f"{at(0)},{at(3_600_000)},acme,sales,telephony,1,1,0,")
    assert 1 == len(report("agents", *SPAN, "--csv", "--agent", "bob").output.splitlines())


def test_without_times_it_is_the_last_day(report):
    """Up to now: what was told is older, but ann may be there."""
    result = report("queues")
    assert (0, "Nothing was counted.\n") == (result.exit_code, result.output)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--tz", "Mars/Olympus"), "tz is the IANA name"),
        (("--interval", "2h"), "interval is one of 15m"),
        (("--to", "0"), "to is epoch milliseconds after from"),
    ],
)
@pytest.mark.parametrize("kind", [(), ("--csv",)])
def test_what_cannot_be_asked_is_said(report, arguments, said, kind):
    """In one sentence, which names the parameter."""
    result = report("agents", *SPAN, *arguments, *kind)
    assert 1 == result.exit_code
    assert said in result.stderr


def test_a_table_has_names_for_ids(site, report):
    """CSV keeps the ids, for programs."""
    names = {("agent", "ann"): "Ann Archer", ("queue", "sales"): "Sales"}
    site.service.name_store.keep(
        "import",
        [NameEntry(org_id=ORG, kind=kind, id=id_, name=it) for (kind, id_), it in names.items()],
    )
    assert "Ann Archer" in report("agents", *SPAN).output.splitlines()[1]
    assert "Sales" in report("queues", *SPAN).output.splitlines()[1]
    assert "Sales" not in report("queues", *SPAN, "--csv").output


def test_idle_codes_of_one_name_are_one_in_the_table(site, report):
    site.post(
        [
            it | {"id": f"idle {number}"}
            for number, it in enumerate(
                [
                    v1(100_000, "bob", "idle", idleCodeId="a"),
                    v1(160_000, "bob", "idle", idleCodeId="b"),
                    v1(280_000, "bob", "available"),
                ]
            )
        ]
    )
    site.project()
    codes = [NameEntry(org_id=ORG, kind="idleCode", id=id_, name="Break") for id_ in "ab"]
    site.service.name_store.keep("import", codes)
    assert "Break 0:03:00" in report("agents", *SPAN, "--agent", "bob").output
