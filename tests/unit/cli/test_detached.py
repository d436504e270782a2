"""What `remora up --detach` says of a cluster that did not start."""

from pathlib import Path

import pytest

from remora.cli import detached
from remora.cli.detached import _last_words, up_detached
from remora.cluster.profile import make_profile
from remora.cluster.start import Ports


def test_the_error_is_found_behind_what_another_cluster_wrote_to_the_same_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REMORA_HOME", str(tmp_path))
    profile = make_profile("test", claimed=set())
    profile.log.write_text("remora: profile test runs already (pid 7)\n" + "the other one's words\n" * 30)
    assert _last_words(profile) == "profile test runs already (pid 7)"
    profile.log.write_text("nobody knows\n" * 30)
    assert _last_words(profile) == "it did not start:\n" + "\n".join(["nobody knows"] * 15)


def test_who_interrupts_the_waiting_is_told_that_the_cluster_goes_on_and_how_to_end_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Child:
        pid = 4711

        def poll(self) -> None:
            raise KeyboardInterrupt

    monkeypatch.setenv("REMORA_HOME", str(tmp_path))
    monkeypatch.setattr(detached, "_spawn", lambda *_, **__: Child())
    with pytest.raises(KeyboardInterrupt):
        up_detached("test", Ports(), wait=True, timeout=20)
    last = capsys.readouterr().err.splitlines()[-1]
    assert last == ("profile test goes on starting in the background (pid 4711); end it with `remora down --profile test`")
