"""`projector names`: files of names become the directory of the running service."""

from __future__ import annotations

import json
import re
import textwrap
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from projector.cli import service_client
from projector.cli.main import main
from tests.conftest import served

CHECKOUT = Path(__file__).parents[2]
CSV = 'kind,id,name,orgId\nagent,ann,Ann Archer,acme\nteam,red,"Red, the team",acme\n'


@pytest.fixture
def command(site, tmp_path):
    """Runs the command beside a running service; ``text`` is that of the file to import."""
    with served(site.client.application) as address:

        def run(*words: str, text: str | bytes | None = None) -> Result:
            environment = {"PROJECTOR_DATA_DIR": str(site.service.settings.data_dir)}
            if text is not None:
                file = Path(tmp_path / "names.txt")
                file.write_bytes(text if isinstance(text, bytes) else text.encode())
                words = (*words, str(file))
            return CliRunner().invoke(main, ["names", *words, "--url", address], env=environment)

        yield run


def listed(command) -> dict[str, str]:
    rows = json.loads(command("list", "--json").output)
    return {f"{it['orgId']} {it['kind']} {it['id']}": it["name"] for it in rows}


def test_a_csv_file_is_imported(command):
    """The order of its columns does not matter, nor the mark with which a spreadsheet begins it."""
    assert "There are no names.\n" == command("list").output
    done = command("import", text=b"\xef\xbb\xbf" + CSV.encode())
    assert (0, "2 names imported, 0 taken back.\n") == (done.exit_code, done.output)
    expected = {"acme agent ann": "Ann Archer", "acme team red": "Red, the team"}
    assert expected == listed(command)
    line = command("list", "--kind", "agent").output.splitlines()[1]
    assert ["acme", "agent", "ann", "Ann", "Archer", "import"] == line.split()[:6]


def test_the_example_of_the_docs_is_imported(command):
    """Into a service without any setting."""
    text = (CHECKOUT / "docs" / "operations.md").read_text()
    example = re.search(r"\n    (orgId,kind,id,name\n(?:    .+\n)+)", text)
    done = command("import", text=textwrap.dedent(f"    {example[1]}"))
    assert (0, "2 names imported, 0 taken back.\n") == (done.exit_code, done.output)


def test_a_name_without_an_organisation_is_refused_in_plain_words(command):
    """Where there is no default one."""
    refused = command("import", text="kind,id,name\nagent,ann,Ann Archer\n")
    assert 1 == refused.exit_code
    assert "a name has no orgId. names is a list in which each name has an orgId" in refused.output
    assert {} == listed(command)


def test_a_json_file_is_imported(command):
    """A list, or the body of the request; null takes a name back."""
    command("import", text=CSV)
    ann = {"orgId": "acme", "kind": "agent", "id": "ann", "name": None}
    done = command("import", "--json", text=json.dumps([ann]))
    assert {"stored": 0, "removed": 1} == json.loads(done.output)
    bob = {"orgId": "acme", "kind": "agent", "id": "bob", "name": "Bob"}
    command("import", text=json.dumps({"names": [bob]}))
    assert {"acme agent bob": "Bob", "acme team red": "Red, the team"} == listed(command)


def test_a_long_file_is_sent_in_parts(command, monkeypatch):
    monkeypatch.setattr(service_client, "NAMES_OF_A_REQUEST", 3)
    text = "kind,id,name,orgId\n" + "".join(f"agent,{n},Agent {n},acme\n" for n in range(8))
    assert "8 names imported, 0 taken back.\n" == command("import", text=text).output
    assert 8 == len(listed(command))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "has the columns (none)"),
        ("id,name\n1,A\n", "has the columns id, name"),
        ("kind,id,name,email\nagent,1,A,a@b\n", "has the columns kind, id, name, email"),
        ("kind,id,name\nagent,1\n", "Row 2"),
        ("kind,id,name\nagent,1,A,B\n", "Row 2"),
        (b"kind,id,name\nagent,1,M\xfcller\n", "is no UTF-8 text"),
        ("[1", "is no JSON"),
        ('{"agents": []}', "has no list of names"),
        ("kind,id,name,orgId\nagents,1,A,acme\n", "refuses (400)"),
        ("kind,id,name\nagent,1,A\n", "refuses (400)"),  # there is no default organisation
    ],
    ids=str,
)
def test_a_file_that_is_no_list_of_names_is_refused(command, text, says):
    done = command("import", text=text)
    assert 1 == done.exit_code
    assert says in done.output
    assert {} == listed(command)


def test_a_simulated_center_tells_its_names(site, command):
    """Before its webhooks, so that nobody is shown by an id."""
    with served(site.client.application) as address:
        environment = {"PROJECTOR_DATA_DIR": str(site.service.settings.data_dir)}
        words = ["simulate", "--agents", "3", "--events", "5", "--rate", "500", "--url", address]
        done = CliRunner().invoke(main, words, env=environment)
    assert (0, "") == (done.exit_code, done.stderr)
    kinds = [it["kind"] for it in json.loads(command("list", "--json").output)]
    assert (3, 1, 3) == tuple(kinds.count(kind) for kind in ("agent", "team", "queue"))


def test_a_simulation_goes_on_without_names(site, tmp_path):
    """A token that may not import them is no reason to stop."""
    with served(site.client.application) as address:
        environment = {"PROJECTOR_DATA_DIR": str(tmp_path / "none")}
        words = ["simulate", "--agents", "3", "--events", "5", "--rate", "500", "--url", address]
        done = CliRunner().invoke(main, words, env=environment)
    assert 0 == done.exit_code
    assert "names of agents, teams and queues were not imported" in done.stderr
    assert [] == site.get("/api/v1/names").json["data"]
