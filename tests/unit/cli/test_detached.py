"""What `remora up --detach` says of a cluster that did not start."""

from pathlib import Path

import pytest

from remora.cli.detached import _last_words
from remora.cluster.profile import make_profile


def test_the_error_is_found_behind_what_another_cluster_wrote_to_the_same_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REMORA_HOME", str(tmp_path))
    profile = make_profile("test", claimed=set())
    profile.log.write_text("remora: profile test runs already (pid 7)\n" + "the other one's words\n" * 30)
    assert _last_words(profile) == "profile test runs already (pid 7)"
    profile.log.write_text("nobody knows\n" * 30)
    assert _last_words(profile) == "it did not start:\n" + "\n".join(["nobody knows"] * 15)
