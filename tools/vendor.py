"""Fetch the browser's libraries: `python -m tools.vendor`, after a change of the list beside them.

`api/pages/static/vendor/list.json` names each library, its version and licence, and its files. npm
fetches the packages. A file is taken as it is, but for the names of the modules that it imports: a
browser needs paths. The checksums of the result go into the list, and a test holds them.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import tarfile
import tempfile
from pathlib import Path

VENDOR = Path(__file__).resolve().parents[1] / "api/pages/static/vendor"
LIST = VENDOR / "list.json"


def main() -> None:
    libraries = json.loads(LIST.read_text())
    modules = {
        file["module"]: file["file"]
        for library in libraries
        for file in library["files"]
        if "module" in file
    }
    for library in libraries:
        with tempfile.TemporaryDirectory() as folder:
            fetch(library, Path(folder), modules)
        print(f"{library['name']} {library['version']}")
    LIST.write_text(json.dumps(libraries, indent=2) + "\n")


def fetch(library: dict, folder: Path, modules: dict[str, str]) -> None:
    """Write a library's files into the vendor's folder, and their checksums into its entry."""
    package = f"{library['name']}@{library['version']}"
    subprocess.run(["npm", "pack", "--silent", package], cwd=folder, check=True)
    (archive,) = folder.glob("*.tgz")
    with tarfile.open(archive) as tar:
        for file in library["files"]:
            member = tar.extractfile(f"package/{file['from']}")
            assert member is not None
            content = with_paths(member.read(), modules)
            (VENDOR / file["file"]).write_bytes(content)
            file["sha256"] = hashlib.sha256(content).hexdigest()


def with_paths(content: bytes, modules: dict[str, str]) -> bytes:
    """A module that imports its neighbours by path. Maps of sources are not vendored."""
    for module, file in modules.items():
        content = content.replace(f'from"{module}"'.encode(), f'from"./{file}"'.encode())
    lines = content.splitlines(keepends=True)
    return b"".join(line for line in lines if b"sourceMappingURL=" not in line[:40])


if __name__ == "__main__":
    main()
