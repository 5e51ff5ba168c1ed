"""The folders and files are the architecture: imports point one way, and the core stays pure."""

import ast
import re
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]

# Each line may import from the lines above it only, and none of its line from another of it.
LAYERS = [
    ["projector", "projector.errors", "projector.garbage", "projector.processes"],
    ["projector.events", "projector.body", "projector.merkle"],
    ["projector.words", "projector.tally"],
    ["projector.webex", "projector.machine"],
    ["projector.leg", "projector.corrections"],
    ["projector.outcome"],
    ["projector.repair"],
    ["projector.agent", "projector.task"],
    ["projector.figures"],
    ["projector.shapes"],
    ["projector.settings", "projector.sealed"],
    ["projector.database", "projector.keyring"],
    ["projector.reading", "projector.delays", "projector.seal"],
    ["projector.store"],
    ["projector.hearing"],
    ["projector.tables"],
    ["projector.scope"],
    ["projector.checkpoints", "projector.lanes", "projector.rows"],
    ["projector.projections", "projector.verify", "projector.shares", "projector.jobs"],
    ["projector.parking", "projector.reckoning", "projector.recall"],
    [
        "projector.views",
        "projector.ledgers",
        "projector.log",
        "projector.intake",
        "projector.runner",
    ],
    # What is asked for and takes a while.
    ["projector.worker", "projector.differences"],
    ["projector.refold", "projector.rebuild"],
    ["projector.replay"],
    ["projector.reconcile"],
    ["projector.reconcile.rows", "projector.reconcile.credentials", "projector.reconcile.gaps"],
    ["projector.reconcile.facts", "projector.reconcile.client"],
    ["projector.reconcile.matching", "projector.reconcile.differing"],
    ["projector.reconcile.sources", "projector.reconcile.report"],
    ["projector.reconcile.reader", "projector.reconcile.schedule"],
    ["projector.reconcile.subscriptions"],
    ["projector.reconcile.watch"],
    ["projector.reconcile.comparison"],
    ["projector.reconcile.reconciliation"],
    ["projector.changes", "projector.explain", "projector.past", "projector.status"],
    ["projector.feed", "projector.summary"],
    ["projector.bootstrap"],
    # What starts the service, each part of it in a process of its own.
    ["projector.footing", "projector.migrate"],
    ["projector.embedded", "projector.serve"],
    ["projector.run", "projector.client", "projector.questions"],
    ["projector.export", "projector.lookup", "projector.operating", "projector.sealing"],
    ["projector.subscribing", "projector.rebuilding"],
    ["projector.verifier"],
    # The simulator is a program that talks HTTP: of the service it knows nothing.
    ["projector.simulate.staff", "projector.simulate.timeline", "projector.simulate.patterns"],
    ["projector.simulate.wire"],
    ["projector.simulate.floor", "projector.simulate.delivery"],
    ["projector.simulate.task", "projector.simulate.sender"],
    ["projector.simulate.lives"],
    ["projector.simulate.centre", "projector.simulate.records"],
    ["projector.simulate.vendor_search", "projector.simulate.vendor_subscriptions"],
    ["projector.simulate.vendor"],
    ["projector.simulate"],
    ["projector.simulate.command"],
    ["projector.cli"],
    ["projector.__main__"],
    ["api.problems"],
    ["api.parameters", "api.presentation"],
    ["api.access", "api.exports", "api.lists"],
    ["api.routes"],
    ["api.runs"],
    [
        "api.floor",
        "api.ledgers",
        "api.log",
        "api.metrics",
        "api.parked",
        "api.reconciliations",
        "api.replays",
        "api.stream",
        "api.summary",
        "api.health",
        "api.openapi",
        "api.pages",
        "api.webhooks",
    ],
    ["api.application"],
    ["api"],
    ["api.wsgi"],
]
RANK = {module: rank for rank, layer in enumerate(LAYERS) for module in layer}

CORE = {
    f"projector.{name}"
    for name in (
        "events",
        "body",
        "merkle",
        "words",
        "webex",
        "machine",
        "leg",
        "tally",
        "agent",
        "task",
        "shapes",
        "corrections",
        "outcome",
        "repair",
        "figures",
        "reconcile",
        "reconcile.rows",
        "reconcile.facts",
        "reconcile.matching",
    )
}
CENTRE = {
    f"projector.simulate.{name}"
    for name in ("staff", "timeline", "patterns", "wire", "floor", "task", "lives", "centre",
                 "delivery", "records")
}  # fmt: skip
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


def test_every_module_has_its_place():
    """A new module is put in the order above, a removed one taken out."""
    assert sorted(RANK) == sorted(sources())


@pytest.mark.parametrize("module", sorted(RANK))
def test_imports_point_one_way(module):
    """A module imports only what stands above it."""
    below = {name for name in own_imports(module) if RANK[name] >= RANK[module]}
    assert set() == below - {module}


def test_there_are_no_import_cycles():
    """Not even within functions."""
    graph = {module: own_imports(module) - {module} for module in sources()}
    assert len(graph) == len(list(TopologicalSorter(graph).static_order()))


@pytest.mark.parametrize("module", sorted(CORE | CENTRE))
def test_the_core_is_pure(module):
    """No system, clock, log, thread or framework, and nothing of ours that has one."""
    assert set() == outer_imports(module) & set(OUTSIDE.split())
    assert set() == own_imports(module) - CORE - CENTRE
    assert set() == {name for name, _ in calls(module)} & {"open", "print", "input", "breakpoint"}


@pytest.mark.parametrize("module", sorted(CORE - {"projector.shapes"}))
def test_the_fold_knows_no_framework(module):
    """Events, tables and folds are the standard library's; only what is shown is pydantic's."""
    assert set() == outer_imports(module) & {"pydantic", "random"}


@pytest.mark.parametrize("module", sorted(CENTRE))
def test_chance_has_a_seed(module):
    """The simulator draws from generators that were given a seed, never from the process's."""
    drawn = [(name, count) for name, count in calls(module) if re.match(r"(random|uuid)\.", name)]
    assert [] == [
        name for name, count in drawn if name in {"random.Random", "Random"} and not count
    ]
    assert set() == {name for name, _ in drawn} - {"random.Random", "uuid.UUID", "uuid.uuid5"}


def test_the_simulator_knows_nothing_of_the_service():
    """It shares errors and settings with it, and else meets it over HTTP only."""
    used = {
        name
        for module in sources()
        if module.startswith("projector.simulate")
        for name in own_imports(module)
        if not name.startswith("projector.simulate")
    }
    assert {"projector.errors", "projector.settings"} == used


@pytest.mark.parametrize("module", ["projector.verify", "projector.reckoning"])
def test_the_verifier_is_independent(module):
    """Nothing by which pages are projected and late events repaired is in it, at any remove."""
    writers = "runner projections parking rows repair outcome corrections checkpoints recall"
    reached, todo = set(), [module]
    while todo:
        reached |= (new := own_imports(todo.pop()) - reached)
        todo += new
    assert set() == reached & {f"projector.{name}" for name in writers.split()}


def test_one_module_knows_the_event_store_library():
    """`eventsourcing` is imported by the store alone."""
    assert ["projector.store"] == [m for m in sources() if "eventsourcing" in outer_imports(m)]


def test_one_module_knows_the_web_server():
    """granian is imported where it is started, and nowhere else."""
    assert ["projector.serve"] == [m for m in sources() if "granian" in outer_imports(m)]


def test_flask_is_the_interfaces_alone():
    """Nothing in projector/ knows how it is asked; the stand-in vendor is no part of it."""
    assert {"api", "simulate"} == {
        module.removeprefix("projector.").partition(".")[0]
        for module in sources()
        if outer_imports(module) & {"flask", "werkzeug", "jinja2"}
    }


@pytest.mark.parametrize("module", sorted(name for name in RANK if name.startswith("api")))
def test_the_interface_knows_no_database(module):
    """api/ imports no driver, no event store library, and holds no SQL."""
    assert set() == outer_imports(module) & {"psycopg", "psycopg_pool", "eventsourcing", "sqlite3"}
    texts = [
        node.value
        for node in ast.walk(sources()[module])
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]
    assert [] == [text for text in texts if SQL.search(text)]


def test_templates_hold_no_sql():
    """Nor do the pages."""
    found = [path for path in (CHECKOUT / "api").rglob("*.html") if SQL.search(path.read_text())]
    assert [] == found


def test_the_service_is_put_together_in_one_place():
    """Intake, views, feed and status are constructed by bootstrap alone."""
    parts = {"Intake", "Views", "Status", "Feed"}
    assert ["projector.bootstrap"] == [
        module for module in sources() if parts & {name for name, _ in calls(module)}
    ]


def test_settings_are_read_where_a_process_begins():
    """The environment is nobody's business but the entry points'."""
    readers = {
        module
        for module, tree in sources().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and ast.unparse(node) in {"os.environ", "os.getenv"}
    }
    assert {
        "api.wsgi",
        "projector.cli",
        "projector.export",
        "projector.lookup",
        "projector.operating",
        "projector.sealing",
        "projector.rebuilding",
        "projector.subscribing",
        "projector.verifier",
        "projector.embedded",  # hands it on to PostgreSQL, without libpq's variables
        "projector.processes",  # hands it on to the parts
        "projector.simulate.command",
    } == readers
