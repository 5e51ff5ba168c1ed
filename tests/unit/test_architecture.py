"""The folders and files are the architecture: imports point one way, and the core stays pure."""

import ast
import re
import string
import subprocess
import sys
from collections import defaultdict
from dataclasses import fields
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from projector.bootstrap.service import Service

CHECKOUT = Path(__file__).resolve().parents[2]

# Modules without I/O, clock, log or thread; the whole domain and contract are among them.
PURE = (
    "projector.domain",
    "projector.contract",
    "projector.query.alerts.defaults",
    "projector.query.alerts.rule_book",
    "projector.webex.webhook",
    "projector.webex.json_body",
    "projector.webex.cloudevents",
    "projector.webex.api_rows",
    "projector.webex.api_events",
    "projector.event_log.seal.merkle",
    "projector.operations.reconciliation.event_matching",
)
# The simulated contact centre; only its sender and its API server reach outside.
CENTER = {
    f"projector.webex.simulator.{name}"
    for name in [
        "staff",
        "directory",
        "known_names",
        "timeline",
        "task_patterns",
        "payloads",
        "floor",
        "task",
        "task_steps",
        "contact_center",
        "network",
        "api_records",
        "agent_records",
        "task_records",
        "search_filters",
        "vendor_rows",
    ]
}
# What reaches outside: the system, the clock, chance, logs, other threads, frameworks.
OUTSIDE = """
    asyncio calendar concurrent ctypes datetime http importlib io locale logging multiprocessing os
    pathlib platform queue sched secrets select selectors shutil signal socket sqlite3 ssl
    subprocess sys tempfile threading time urllib warnings zoneinfo
    click eventsourcing flask granian httpx jinja2 psycopg psycopg_pool werkzeug
"""
SQL = re.compile(
    r"\b(SELECT\s.*\bFROM|INSERT\s+INTO|UPDATE\s+\S+\s+SET|DELETE\s+FROM|TRUNCATE\s+\w"
    r"|(CREATE|ALTER|DROP)\s+(TABLE|INDEX|FUNCTION|ROLE|VIEW)|ORDER\s+BY|GROUP\s+BY)\b",
    re.IGNORECASE | re.DOTALL,
)


@cache
def sources():
    """The syntax tree of each of our modules, by its name."""
    found = {}
    for top in ("projector", "api"):
        for path in sorted((CHECKOUT / top).rglob("*.py")):
            parts = path.relative_to(CHECKOUT).with_suffix("").parts
            name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
            found[name] = ast.parse(path.read_text(), str(path))
    return found


def imports(module):
    """The full names of what a module imports, wherever in it; ours as far as the module."""
    for node in ast.walk(sources()[module]):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert 0 == node.level, f"{module} imports from '.': write the full name"
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                yield full if full in sources() else node.module


def own_imports(module):
    return {name for name in imports(module) if name in sources()}


def outer_imports(module):
    return {name.partition(".")[0] for name in imports(module) if name not in sources()}


def calls(module):
    """The dotted names that a module calls, with how many arguments."""
    for node in ast.walk(sources()[module]):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), len(node.args) + len(node.keywords)


def below(*packages):
    """Our modules that are, or lie in, one of some packages."""
    return {m for m in sources() if any(f"{m}.".startswith(f"{package}.") for package in packages)}


def test_imports_follow_the_house():
    """The contracts of setup.cfg hold: `make lint` asks the same."""
    found = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert 0 == found.returncode, found.stdout


def test_there_are_no_import_cycles():
    """Not even within functions."""
    graph = {module: own_imports(module) - {module} for module in sources()}
    assert len(graph) == len(list(TopologicalSorter(graph).static_order()))


def test_the_core_is_pure():
    """No system, clock, log, thread or framework, and nothing of ours that has one."""
    pure = below(*PURE) | CENTER
    assert {f"{name}" for name in PURE} <= pure
    for module in pure:
        assert set() == outer_imports(module) & set(OUTSIDE.split()), module
        assert set() == own_imports(module) - pure, module
        called = {name for name, _ in calls(module)}
        assert set() == called & {"open", "print", "input", "breakpoint"}, module


def test_the_domain_knows_no_framework():
    """It imports the standard library alone; pydantic begins with the contract."""
    for module in below("projector.domain"):
        assert outer_imports(module) <= sys.stdlib_module_names, module
        assert set() == outer_imports(module) & {"random"}, module


@pytest.mark.parametrize("module", sorted(CENTER))
def test_chance_has_a_seed(module):
    """The simulator draws from generators that were given a seed, never from the process's."""
    drawn = [(name, count) for name, count in calls(module) if re.match(r"(random|uuid)\.", name)]
    assert [] == [
        name for name, count in drawn if name in {"random.Random", "Random"} and not count
    ]
    assert set() == {name for name, _ in drawn} - {"random.Random", "uuid.UUID", "uuid.uuid5"}


def test_the_simulator_knows_nothing_of_the_service():
    """It shares the root of errors and the clock with it, and meets it over HTTP only."""
    used = {
        name
        for module in sources()
        if module.startswith("projector.webex.simulator")
        for name in own_imports(module)
        if not name.startswith("projector.webex.simulator")
    }
    assert {"projector.infrastructure.clock", "projector.infrastructure.errors"} == used


def test_two_modules_know_the_event_store_library():
    """`eventsourcing` is imported by the store, and by what opens the log to its projections."""
    assert {"projector.event_log.application", "projector.event_log.store"} == {
        m for m in sources() if "eventsourcing" in outer_imports(m)
    }


def test_one_module_knows_the_web_server():
    """granian is imported where it is started, and nowhere else."""
    assert ["projector.cli.commands.serve"] == [
        m for m in sources() if "granian" in outer_imports(m)
    ]


def test_flask_is_the_interfaces_alone():
    """Nothing in projector/ knows how it is asked; the stand-in vendor is no part of it."""
    web = {m for m in sources() if outer_imports(m) & {"flask", "werkzeug", "jinja2"}}
    assert set() == web - below("api", "projector.webex.simulator")


def test_the_interface_knows_no_database():
    """api/ imports no driver, no event store library, and holds no SQL."""
    drivers = {"psycopg", "psycopg_pool", "eventsourcing", "sqlite3"}
    for module in below("api"):
        assert set() == outer_imports(module) & drivers, module
        texts = [
            node.value
            for node in ast.walk(sources()[module])
            if isinstance(node, ast.Constant) and isinstance(node.value, str)
        ]
        assert [] == [text for text in texts if SQL.search(text)], module


def test_templates_hold_no_sql():
    """Nor do the pages."""
    found = [path for path in (CHECKOUT / "api").rglob("*.html") if SQL.search(path.read_text())]
    assert [] == found


def test_the_service_is_put_together_in_one_place():
    """What answers requests, folds the log or works on jobs is constructed by bootstrap alone."""
    parts = {field.type for field in fields(Service)} - {"Settings", "Pool"} | {"Runner", "Worker"}
    parts -= {"EventStore", "JobQueue"}  # processes of a pool open these over their own connection
    builders = {m for m in sources() if parts & {name for name, _ in calls(m)}}
    assert set() == builders - below("projector.bootstrap")


def test_one_module_reads_settings():
    """The others that use the environment hand it on to a process that they start."""
    readers = {
        module
        for module, tree in sources().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and ast.unparse(node) in {"os.environ", "os.getenv"}
    }
    assert {
        "projector.infrastructure.settings",
        "projector.infrastructure.embedded_postgres",  # to PostgreSQL, without PG variables
        "projector.infrastructure.processes",  # to the parts of `projector run`
    } == readers


def defined_names(module):
    """The classes, public constants and type aliases that a module defines at its top level."""
    for node in sources()[module].body:
        if isinstance(node, ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            yield from (it.id for it in targets if isinstance(it, ast.Name) and it.id[0] != "_")


def test_a_name_has_one_meaning():
    """No two modules define a class or a public constant of one name."""
    usual = {"blueprint", "log"} | set(string.ascii_uppercase)  # type variables
    modules = defaultdict(set)
    for module in sources():
        for name in set(defined_names(module)) - usual:
            modules[name].add(module)
    assert {} == {name: where for name, where in modules.items() if len(where) > 1}


def test_a_class_of_the_tests_or_tools_has_a_name_of_its_own():
    """The oracle alone may have the specification's words a second time."""
    places = defaultdict(set)
    for top in ("projector", "api", "tests", "tools"):
        for path in set((CHECKOUT / top).rglob("*.py")) - {CHECKOUT / "tests" / "oracle.py"}:
            for node in ast.parse(path.read_text()).body:
                if isinstance(node, ast.ClassDef):
                    places[node.name.lstrip("_")].add(str(path.relative_to(CHECKOUT)))
    assert {} == {name: where for name, where in places.items() if len(where) > 1}
