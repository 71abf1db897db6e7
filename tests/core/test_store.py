import errno
import os

import pytest

from armour_core.errors import ArmourError, ConfigError
from armour_core.store import prepare_folder, write_atomically


def test_a_file_is_replaced_whole_and_nothing_else_is_left(tmp_path):
    path = tmp_path / "report.json"
    path.write_text("old")
    assert write_atomically(path, b"new") == path
    assert path.read_bytes() == b"new"
    assert os.listdir(tmp_path) == ["report.json"]


@pytest.mark.parametrize(("number", "kind"), [(errno.ENOSPC, ArmourError), (errno.EROFS, ConfigError)])
@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_full_or_read_only_disk_keeps_the_old_file(tmp_path, monkeypatch, number, kind, call):
    path = tmp_path / "report.json"
    path.write_text("old")

    def refuse(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, call, refuse)
    with pytest.raises(kind, match=os.strerror(number)):
        write_atomically(path, b"new")
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["report.json"]


def test_a_folder_is_made_and_left_empty(tmp_path):
    folder = prepare_folder(tmp_path / "a" / "b")
    assert folder.is_dir()
    assert os.listdir(folder) == []


def test_a_file_where_a_folder_is_wanted_is_named(tmp_path):
    (tmp_path / "taken").write_text("x")
    with pytest.raises(ConfigError, match="is a file"):
        prepare_folder(tmp_path / "taken")
    with pytest.raises(ConfigError, match="cannot be written"):
        prepare_folder(tmp_path / "taken" / "below")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_folder_is_noticed_before_any_work(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(ConfigError, match="may write"):
        prepare_folder(tmp_path)
