"""`projector check`: what it finds wrong with an installation, and what it says."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from projector.cli.commands.serve import most_connections
from projector.cli.main import main
from projector.infrastructure.settings import read_settings
from projector.operations.installation import NEEDED_FILES, installation_faults

TOKENS = '[{"token": "sesame", "role": "viewer"}]'
SECRETS = '{"sub-1": ["sesame"]}'
EXPOSED, UNSIGNED, TOKENLESS, FEW_FILES = (
    "without a proxy",
    "Webhooks without a signature are taken",
    "There is no token",
    "files open",
)
SOUND = {"PROJECTOR_TOKENS": TOKENS, "PROJECTOR_WEBHOOK_SECRETS": SECRETS}


def checked(
    monkeypatch: pytest.MonkeyPatch, folder: Path, *arguments: str, **environment: str
) -> Result:
    for name in [it for it in os.environ if it.startswith("PROJECTOR_")]:
        monkeypatch.delenv(name)
    for name in ("HOST", "PORT", "DATABASE_URL"):
        monkeypatch.delenv(name, raising=False)
    for name, value in ({"PROJECTOR_DATA_DIR": str(folder)} | environment).items():
        monkeypatch.setenv(name, value)
    return CliRunner().invoke(main, ["check", *arguments])


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, []),
        ({"HOST": "::1"}, []),
        (SOUND, []),
        (SOUND | {"HOST": "0.0.0.0"}, [EXPOSED]),
        (SOUND | {"HOST": "::"}, [EXPOSED]),
        (SOUND | {"HOST": "192.0.2.1"}, [EXPOSED]),
        (SOUND | {"HOST": "example.org"}, [EXPOSED]),
        (SOUND | {"HOST": "0.0.0.0", "PROJECTOR_BEHIND_PROXY": "1"}, []),
        (SOUND | {"HOST": "0.0.0.0", "PROJECTOR_BEHIND_PROXY": "0"}, [EXPOSED]),
        (SOUND | {"PROJECTOR_BEHIND_PROXY": "1"}, []),
        ({"HOST": "0.0.0.0"}, [EXPOSED, TOKENLESS]),
        ({"PROJECTOR_ALLOW_UNSIGNED": "1"}, []),
        ({"PROJECTOR_BEHIND_PROXY": "1"}, []),
        ({"PROJECTOR_BEHIND_PROXY": "1", "PROJECTOR_ALLOW_UNSIGNED": "1"}, [UNSIGNED]),
        (SOUND | {"HOST": "0.0.0.0", "PROJECTOR_ALLOW_UNSIGNED": "1"}, [EXPOSED, UNSIGNED]),
    ],
)
def test_what_is_wrong_is_said(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    environment: dict[str, str],
    expected: list[str],
) -> None:
    """A sentence each and exit code 1; nothing secret is repeated."""
    result = checked(monkeypatch, tmp_path, **environment)
    assert (1 if expected else 0) == result.exit_code, result.output
    lines = result.stdout.splitlines()
    if expected:
        assert len(expected) == len(lines)
        assert all(part in line for part, line in zip(expected, lines, strict=True)), lines
        assert all(line.endswith(".") for line in lines)
    else:
        assert ["Nothing is wrong with this installation."] == lines
    assert "sesame" not in result.output
    assert [] == [*tmp_path.iterdir()]  # it only looks


def test_a_program_gets_an_object(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    sound = checked(monkeypatch, tmp_path, "--json", **SOUND)
    assert (0, {"faults": []}) == (sound.exit_code, json.loads(sound.stdout))
    exposed = checked(monkeypatch, tmp_path, "--json", **SOUND, HOST="0.0.0.0")
    assert 1 == exposed.exit_code
    (fault,) = json.loads(exposed.stdout)["faults"]
    assert "0.0.0.0:8080" in fault


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "x"),
        ("PROJECTOR_WEBHOOK_SECRETS", '{"a": [" "]}'),
        ("PROJECTOR_WEBHOOK_SECRETS", '{"a": ["s"], "/x/a": ["t"]}'),
        ("PROJECTOR_THRESHOLDS", "/nowhere/thresholds.json"),
    ],
)
def test_settings_that_cannot_be_used_are_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, value: str
) -> None:
    """As the service itself would at its start."""
    result = checked(monkeypatch, tmp_path, **{name: value})
    assert 1 == result.exit_code
    assert name in result.stderr
    assert 1 == result.stderr.count("\n")


def test_few_open_files_are_a_fault() -> None:
    """Each connection is one."""
    settings = read_settings(SOUND)
    for files, expected in ((NEEDED_FILES, 0), (NEEDED_FILES - 1, 1)):
        found = [*installation_faults(settings, allows_unsigned=False, open_files=files)]
        assert expected == len(found)
        assert all(FEW_FILES in it for it in found)


@pytest.mark.parametrize(
    ("open_files", "expected"), [(256, 128), (1_024, 512), (4_096, 3_584), (8_704, 8_192)]
)
def test_connections_leave_files_for_the_rest(open_files: int, expected: int) -> None:
    """The database's connections, the modules that load, and the streams' own."""
    assert expected == most_connections(open_files)
