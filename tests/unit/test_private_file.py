"""Private files are whole and their owner's, whatever was there before."""

import stat

import pytest

from projector.infrastructure.private_file import create_private, write_private


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_a_private_file_replaces_one_that_others_can_read(tmp_path):
    """Its mode is 0600 then, and nothing else is left in the folder."""
    path = tmp_path / "secret"
    path.write_text("old")
    path.chmod(0o644)
    write_private(path, "new")
    assert ("new", 0o600) == (path.read_text(), mode(path))
    assert [path] == [*tmp_path.iterdir()]


def test_creating_a_private_file_keeps_one_that_is_there(tmp_path):
    """The first writer wins; missing folders are made."""
    path = tmp_path / "folder" / "secret"
    create_private(path, "first")
    create_private(path, "second")
    assert ("first", 0o600) == (path.read_text(), mode(path))
    assert [path] == [*path.parent.iterdir()]


def test_a_failure_leaves_no_draft(tmp_path):
    """A folder that has the file's name cannot be replaced."""
    path = tmp_path / "secret"
    (path / "in the way").mkdir(parents=True)
    with pytest.raises(OSError, match="secret"):
        write_private(path, "new")
    assert [path] == [*tmp_path.iterdir()]
