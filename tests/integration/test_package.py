"""The wheel: it carries all that the service reads, and runs without the checkout."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import httpx
import pytest

from tests.conftest import free_port

CHECKOUT = Path(__file__).resolve().parents[2]
SOURCES = ("api", "projector", "migrations", "setup.py", "setup.cfg", "pyproject.toml", "README.md")


def call(*command, **options):
    """What a command prints; its own words where it fails."""
    done = subprocess.run(
        [str(it) for it in command], capture_output=True, text=True, check=False, **options
    )
    assert 0 == done.returncode, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel, built of a copy, so that nothing is left in the checkout."""
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for name in SOURCES:
        copy = shutil.copytree if (CHECKOUT / name).is_dir() else shutil.copy
        copy(CHECKOUT / name, source / name)
    call(
        *(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--skip-dependency-check"),
        *("--outdir", out, source),
    )
    (built,) = out.iterdir()
    return built


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """The programs of an environment that has the wheel, and of this one the libraries alone.

    A .pth file adds this environment's folder of libraries. The .pth file that leads to the
    checkout lies in that folder, and Python reads none there.
    """
    folder = tmp_path_factory.mktemp("environment")
    call(sys.executable, "-m", "venv", "--without-pip", folder)
    programs = folder / "bin"
    call(
        *(sys.executable, "-m", "pip", "--python", programs / "python", "install"),
        *("--quiet", "--disable-pip-version-check", "--no-index", "--no-deps", wheel),
    )
    (libraries,) = folder.glob("lib/python*/site-packages")
    (libraries / "libraries.pth").write_text(sysconfig.get_path("purelib"))
    return programs


@pytest.fixture
def environment(tmp_path):
    """The settings of a service with an empty folder; none of whoever runs the tests."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in {"DATABASE_URL", "HOST", "PORT"}
        and not name.startswith(("PROJECTOR_", "PYTHON"))
    }
    return kept | {"PORT": str(free_port()), "PROJECTOR_DATA_DIR": str(tmp_path / "data")}


def test_the_wheel_carries_what_is_no_module(wheel):
    """Each migration, template and static file of the checkout, and whatever else lies there."""
    sources = {
        str(path.relative_to(CHECKOUT)).replace("migrations/", "projector/migrations/")
        for name in ("api", "projector", "migrations")
        for path in (CHECKOUT / name).rglob("*")
        if path.is_file() and path.suffix not in {".py", ".pyc"}
    }
    packed = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    assert sources == {name for name in packed if not name.endswith(".py")}


@pytest.mark.slow
def test_the_installed_package_is_not_the_checkout(installed, environment, tmp_path):
    """Its modules and migrations lie in its own environment."""
    ask = "import api, projector, projector.migrations as m; print(api, projector, m)"
    folder = tmp_path / "empty"
    folder.mkdir()
    answer = call(installed / "python", "-c", ask, cwd=folder, env=environment)
    assert (3, 0) == (answer.count(f"'{installed.parent}"), answer.count(str(CHECKOUT)))


@pytest.mark.slow
def test_the_installed_package_runs_in_an_empty_folder(installed, environment, tmp_path):
    """It makes its database, answers, shows its pages, and takes the webhooks of the demo."""
    folder = tmp_path / "empty"
    folder.mkdir()
    projector = installed / "projector"
    with (tmp_path / "stderr").open("w") as stderr:
        process = subprocess.Popen(
            [projector, "run", "--json"],
            cwd=folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            start_new_session=True,
        )
    try:
        line = process.stdout.readline()
        assert line, (tmp_path / "stderr").read_text()
        root = json.loads(line)["webhooks"].removesuffix("/webhooks/webex")
        page = httpx.get(json.loads(line)["address"], follow_redirects=True)
        assert (200, "text/html") == (page.status_code, page.headers["Content-Type"].split(";")[0])
        drawn_by = re.findall(r'(?:href|src)="(/static/[^"]+)"', page.text)
        assert {"css", "js"} <= {path.rpartition(".")[2] for path in drawn_by}
        for path in ("/healthz", "/readyz", *drawn_by):
            assert 200 == httpx.get(f"{root}{path}").status_code, path
        words = ("demo", "--recorded", "--json")
        demo = json.loads(call(projector, *words, cwd=folder, env=environment))
        assert demo["agents"] != []
    finally:
        os.killpg(process.pid, signal.SIGINT)
        assert 0 == process.wait(30)
        process.stdout.close()
    assert [] == [*folder.iterdir()]
