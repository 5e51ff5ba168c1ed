"""The modules, texts and vendored libraries of the pages fit together; no browser is needed."""

import hashlib
import json
import re
from pathlib import Path

import pytest

from api.pages import shell

STATIC = Path(shell.__file__).parent / "static"
VENDOR = STATIC / "vendor"
MODULES = sorted(it for it in STATIC.rglob("*.js") if VENDOR not in it.parents)
TEXTS = STATIC / "texts"
LIBRARIES = json.loads((VENDOR / "list.json").read_text())
# Licences under which a library may be shipped with this project.
LICENSES = {"MIT", "Apache-2.0", "BSD-3-Clause"}
IMPORT = re.compile(r'(?:import|export)\s+(?:([^"]*?)\s+from\s+)?"([^"]+)"')
ENTRY = re.compile(r'^  (?:"([^"]+)"|(\w+)): (.+?),?$', re.MULTILINE)


def relative(file: Path) -> str:
    return str(file.relative_to(STATIC))


def exported(file: Path) -> set[str]:
    """The names that a module exports."""
    text = file.read_text()
    names = set(
        re.findall(r"^export (?:async )?(?:function\*?|const|let|class) (\w+)", text, re.MULTILINE)
    )
    for group in re.findall(r"^export \{([^}]*)\}", text, re.MULTILINE):
        names |= {part.split(" as ")[-1].strip() for part in group.split(",") if part.strip()}
    if re.search(r"^export default ", text, re.MULTILINE):
        names.add("default")
    return names


@pytest.mark.parametrize("module", MODULES, ids=relative)
def test_what_a_module_imports_is_there(module: Path) -> None:
    """By a path, since browsers resolve no names; and each name is exported there."""
    for what, path in IMPORT.findall(module.read_text()):
        assert path.startswith(("./", "../")), path
        target = (module.parent / path).resolve()
        assert target.is_file(), path
        if VENDOR in target.parents or what.startswith("*"):
            continue
        listed = re.search(r"\{([^}]*)\}", what)
        names = [part.split(" as ")[0].strip() for part in listed[1].split(",")] if listed else []
        assert {it for it in names if it} <= exported(target), path


@pytest.mark.parametrize("module", MODULES, ids=relative)
def test_a_module_says_what_it_is_for(module: Path) -> None:
    """In a comment at its top."""
    assert module.read_text().startswith("// ")


@pytest.mark.parametrize("module", MODULES, ids=relative)
def test_no_node_is_made_once_for_all(module: Path) -> None:
    """A node that is used twice keeps its first tree, and that tree keeps each later one."""
    kept = re.compile(r"^(?:(?:export )?(?:const|let) \w+ = |  \w+: )html`", re.MULTILINE)
    assert kept.search(module.read_text()) is None


def entries(file: Path) -> dict[str, str]:
    """The texts of a language by key, as they are written."""
    return {quoted or plain: text for quoted, plain, text in ENTRY.findall(file.read_text())}


@pytest.mark.parametrize("module", MODULES, ids=relative)
def test_every_text_that_is_used_exists(module: Path) -> None:
    """By its key; of a key that is put together, by its beginning."""
    english = entries(TEXTS / "en.js").keys()
    source = module.read_text()
    for key in re.findall(r'\bt\("([^"]+)"', source):
        assert key in english, key
    for beginning in re.findall(r"\bt\(`([^`$]+)\$\{", source):
        assert any(key.startswith(beginning) for key in english), beginning


def is_used(key: str, source: str) -> bool:
    """Whether a module names a text: by its key, or by the parts that it puts together."""
    beginning, _, end = key.partition(".")
    is_begun = f'"{beginning}"' in source or f"`{beginning}" in source
    return (
        f'"{key}"' in source
        or f"`{beginning}.${{" in source
        or f'word("{beginning}"' in source
        or any(f"`{key[:at]}${{" in source for at in range(len(beginning) + 1, len(key)))
        or f"}}.{end}`" in source
        or (is_begun and re.search(rf"\b{re.escape(end)}\b", source) is not None)
    )


def test_every_text_is_used() -> None:
    """Texts that nothing shows are deleted."""
    source = "\n".join(it.read_text() for it in MODULES if TEXTS not in it.parents)
    assert [key for key in entries(TEXTS / "en.js") if not is_used(key, source)] == []


@pytest.mark.parametrize("language", sorted(TEXTS.glob("*.js")), ids=lambda file: file.stem)
def test_a_language_has_every_text(language: Path) -> None:
    """With the same values to put in."""
    keys = [quoted or plain for quoted, plain, _ in ENTRY.findall(language.read_text())]
    assert len(set(keys)) == len(keys), "a key stands twice"
    english, other = entries(TEXTS / "en.js"), entries(language)
    assert english.keys() == other.keys()
    for key, text in english.items():
        values = set(re.findall(r"\{(\w+)\}", text)) - {"count"}
        assert values == set(re.findall(r"\{(\w+)\}", other[key])) - {"count"}, key


def test_every_page_has_a_path_a_module_and_a_title() -> None:
    """The shell serves the paths that the script knows, and no others."""
    routes = re.findall(
        r'pattern: /\^(.*?)\$/, module: "(\w+)", title: "([\w.]+)"',
        (STATIC / "app.js").read_text(),
    )
    english = entries(TEXTS / "en.js")
    assert [module for _, module, _ in routes] == [
        module for _, module, title in routes if title in english
    ]
    assert all((STATIC / "pages" / f"{module}.js").is_file() for _, module, _ in routes)
    paths = {re.sub(r"\(\?<\w+>\.\+\)", "<path:_>", it).replace("\\/", "/") for it, _, _ in routes}
    assert paths == set(shell.PAGES)


# --- vendored libraries ---


def test_vendored_files_are_those_of_the_list() -> None:
    """Byte for byte, and no others lie there."""
    listed = {file["file"]: file["sha256"] for library in LIBRARIES for file in library["files"]}
    found = {
        it.name: hashlib.sha256(it.read_bytes()).hexdigest()
        for it in VENDOR.iterdir()
        if it.name != "list.json"
    }
    assert listed == found


@pytest.mark.parametrize("library", LIBRARIES, ids=lambda it: it["name"])
def test_a_library_has_a_version_and_a_licence(library: dict) -> None:
    """A licence that allows this, with its text."""
    assert re.fullmatch(r"\d+\.\d+\.\d+", library["version"])
    assert library["license"] in LICENSES
    texts = [VENDOR / it["file"] for it in library["files"] if "LICENSE" in it["file"]]
    assert texts
    assert all(text.stat().st_size > 500 for text in texts)
