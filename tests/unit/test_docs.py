"""The docs name what there is: every route, setting, command, table and file."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from api.http.routing import ROUTES
from projector.cli.main import COMMANDS
from projector.domain.metrics import FORMULAS
from projector.infrastructure.settings import Settings
from tests.laws import test_fold_laws
from tools import states

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"


def text(name: str) -> str:
    return (DOCS / name).read_text()


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
def test_every_route_is_told(route):
    """By its method and path, with its filters."""
    parts = re.sub(r"<(\w+)>", r"{\1}", re.sub(r"<(\w+?)_id>", r"{\1Id}", route.path))
    assert f"{route.method.upper()} {parts}" in text("http.md")
    for name, field in route.query.model_fields.items():
        assert (field.alias or name) in text("http.md")


@pytest.mark.parametrize(
    "route", [route for route in ROUTES if route.body], ids=lambda route: route.path
)
def test_every_field_of_a_body_is_told(route):
    """By its name, as code."""
    fields = [field.alias or name for name, field in route.body.model_fields.items()]
    assert [] == [name for name in fields if not re.search(rf'[`"]{name}[`"]', text("http.md"))]


def test_every_route_that_is_told_exists():
    """Of the API; the page's own are not among the declared routes."""
    declared = {(route.method.upper(), re.sub(r"<\w+>", "{}", route.path)) for route in ROUTES}
    told = {
        (method, re.sub(r"{\w+}", "{}", path))
        for method, path in re.findall(r"`(GET|POST|PUT|DELETE) (/[^`\s]+)", text("http.md"))
    }
    assert set() == told - declared - {("GET", "/")}


@pytest.mark.parametrize("field", Settings.model_fields.values(), ids=lambda field: field.alias)
def test_every_setting_is_told(field):
    """By its variable, with its default where that is a plain one."""
    assert f"| `{field.alias}` |" in text("settings.md")
    if isinstance(field.default, str | int) and not isinstance(field.default, bool):
        assert f"| `{field.alias}` | `{field.default}` |" in text("settings.md")


@pytest.mark.parametrize("formula", FORMULAS.values(), ids=lambda formula: formula.name)
def test_every_formula_is_told(formula):
    """Under its name, so that an answer leads there."""
    assert f"\n## {formula.name}\n" in text("figures.md")


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_told(name):
    """By its name."""
    assert f"projector {name}" in text("operations.md")


def test_every_file_is_in_its_room():
    """Each file of the packages stands in the line of its folder, and no other does."""
    rows = re.findall(r"^\| `([a-z_/]+/)` \|.*\|([^|]*)\|$", text("architecture.md"), re.MULTILINE)
    rooms = {folder: set(re.findall(r"`(\w+)`", files)) for folder, files in rows}
    for top in ("projector", "api"):
        for folder in [ROOT / top, *(ROOT / top).rglob("*/")]:
            files = {path.stem for path in folder.glob("*.py")} - {"__init__", "__main__"}
            assert files == rooms.get(f"{folder.relative_to(ROOT)}/", set()), folder


def test_every_link_leads_somewhere():
    """Links between the pages, the README's included."""
    pages = [ROOT / "README.md", *DOCS.rglob("*.md")]
    links = [
        (page, link)
        for page in pages
        for link in re.findall(r"\]\((?!http)([^)#]+)", page.read_text())
    ]
    assert [] == [(page.name, link) for page, link in links if not (page.parent / link).exists()]


def test_every_link_to_a_heading_leads_there():
    """Within a page and from one to another."""
    pages = [ROOT / "README.md", *DOCS.rglob("*.md")]
    links = [
        (page, link)
        for page in pages
        for link in re.findall(r"\]\((?!http)([^)]*#[^)]+)", page.read_text())
    ]
    assert links
    lost = []
    for page, link in links:
        path, heading = link.split("#")
        if heading not in headings((page.parent / path if path else page).read_text()):
            lost.append((page.name, link))
    assert [] == lost


def headings(markdown: str) -> set[str]:
    """The names by which links reach the headings of a page."""
    titles = re.findall(r"^#+ (.+)$", markdown, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


def test_every_name_of_a_link_is_told():
    """A link may name its address, which then stands at the end of the page."""
    for page in [ROOT / "README.md", *DOCS.rglob("*.md")]:
        named = {*re.findall(r"\]\[([a-z-]+)\]", page.read_text())}
        told = {*re.findall(r"^\[([a-z-]+)\]: http", page.read_text(), re.MULTILINE)}
        assert named == told, page.name


def test_every_decision_is_listed():
    """In the index of decisions."""
    index = text("decisions/README.md")
    found = [path.name for path in DOCS.glob("decisions/0*.md")]
    assert [] == [name for name in found if name not in index]


def test_every_law_is_told():
    """By its test's name."""
    laws = [name for name in vars(test_fold_laws) if name.startswith("test_")]
    assert [] == [name for name in laws if f"`{name}`" not in text("laws.md")]


def test_the_diagrams_are_drawn_from_the_tables():
    """What docs/states.md shows is what the code expects."""
    assert states.page() == text("states.md")


def test_every_test_that_is_named_exists():
    """The laws name their tests."""
    sources = "".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    named = re.findall(r"`(test_\w+?)`", text("laws.md"))
    assert [] == [name for name in named if f"def {name}(" not in sources]
    files = re.findall(r"\b(test_\w+\.py)\b", text("laws.md"))
    assert [] == [name for name in files if not [*(ROOT / "tests").rglob(name)]]


def test_make_quick_leaves_out_files_that_exist():
    """pytest says nothing of a file that is to be ignored and is not there."""
    names = re.search(
        r"--ignore=tests/unit/test_%\.py,\\\n\t([a-z_ ]+)\)", (ROOT / "Makefile").read_text()
    )
    assert names
    missing = [it for it in names[1].split() if not (ROOT / f"tests/unit/test_{it}.py").exists()]
    assert [] == missing
