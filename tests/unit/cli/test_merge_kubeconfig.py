"""Merging a cluster into somebody's own kubeconfig."""

from pathlib import Path

import pytest
import yaml

from remora.cli.kubeconfig import merge, merge_kubeconfig

OURS = {
    "current-context": "remora",
    "clusters": [{"name": "x", "cluster": {"server": "https://127.0.0.1:6443"}}],
    "users": [{"name": "y", "user": {"token": "t"}}],
    "contexts": [{"name": "z", "context": {"cluster": "x", "user": "y"}}],
}
THEIRS = {
    "current-context": "work",
    "clusters": [{"name": "work", "cluster": {"server": "https://work"}}],
    "users": [{"name": "work", "user": {}}],
    "contexts": [{"name": "work", "context": {"cluster": "work", "user": "work"}}],
    "preferences": {"colors": True},
}


def test_what_was_there_stays_and_ours_becomes_current() -> None:
    merged = merge(THEIRS, OURS, name="remora")
    assert merged["current-context"] == "remora"
    assert [item["name"] for item in merged["contexts"]] == ["work", "remora"]
    assert merged["contexts"][1]["context"] == {"cluster": "remora", "user": "remora"}
    assert merged["preferences"] == {"colors": True}


def test_merging_twice_is_merging_once() -> None:
    once = merge(THEIRS, OURS, name="remora")
    assert merge(once, OURS, name="remora") == once


def test_a_file_that_does_not_exist_is_made_private(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source, target = tmp_path / "ours", tmp_path / "kube" / "config"
    source.write_text(yaml.safe_dump(OURS))
    monkeypatch.setenv("KUBECONFIG", str(target))
    assert merge_kubeconfig(source, "default") == (target, "remora")
    assert yaml.safe_load(target.read_text())["current-context"] == "remora"
    assert target.stat().st_mode & 0o777 == 0o600
