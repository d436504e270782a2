import json
from pathlib import Path

import pytest

from remora.controller.state import LONGEST, locked, mounted, short_directory, state_directory
from remora.core.errors import UsageError


def test_a_volume_of_the_local_cluster_is_found(tmp_path: Path) -> None:
    environ = {"REMORA_VOLUMES": json.dumps({"/var/lib/remora": str(tmp_path / "volume")})}
    assert state_directory("/var/lib/remora", environ) == tmp_path / "volume"
    assert state_directory("", {**environ, "REMORA_STATE_DIR": str(tmp_path / "own")}) == tmp_path / "own"


def test_a_file_in_a_volume_of_the_local_cluster_is_found(tmp_path: Path) -> None:
    environ = {"REMORA_VOLUMES": json.dumps({"/certificates": "/pods/1/outer", "/certificates/inner": "/pods/1/inner"})}
    assert mounted("/certificates/tls.crt", environ) == Path("/pods/1/outer/tls.crt")
    assert mounted("/certificates/inner/tls.crt", environ) == Path("/pods/1/inner/tls.crt")
    assert mounted("/certificates-of-others/tls.crt", environ) == Path("/certificates-of-others/tls.crt")
    assert mounted("tls.crt", {}) == Path("tls.crt")


def test_a_place_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="--state-dir"):
        state_directory(str(tmp_path / "file" / "below"), {})


def test_a_path_too_long_for_sockets_is_reached_by_a_short_link(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    long = tmp_path / ("x" * LONGEST)
    long.mkdir()
    short = short_directory(long)
    assert short == short_directory(long)
    assert len(short.name) < LONGEST
    assert short.resolve() == long
    assert short_directory(Path("/tmp")) == Path("/tmp")


def test_links_to_directories_that_are_gone_go_when_the_next_one_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    gone, stays, new = (tmp_path / (letter * LONGEST) for letter in "abc")
    for directory in (gone, stays, new):
        directory.mkdir()
    dead, living = short_directory(gone), short_directory(stays)
    gone.rmdir()
    made = short_directory(new)
    assert not dead.is_symlink()
    assert set(made.parent.iterdir()) == {living, made}


@pytest.mark.parametrize("name", ["a b", "$HOME", "a,b", "ä"])
def test_a_path_that_haproxy_would_misread_is_reached_by_a_plain_link(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", "/tmp")
    (tmp_path / name).mkdir()
    short = short_directory(tmp_path / name)
    assert name not in str(short)
    assert short.resolve() == tmp_path / name
    short.unlink()


def test_a_directory_has_one_controller(tmp_path: Path) -> None:
    with locked(tmp_path), pytest.raises(UsageError, match="another controller"), locked(tmp_path):
        pass
    with locked(tmp_path):
        pass
