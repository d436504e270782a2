"""What is printed once a cluster runs."""

import pytest

from remora.cli.render.started import Started, show_started


def test_the_path_of_the_kubeconfig_can_be_typed_as_shown(capsys: pytest.CaptureFixture[str]) -> None:
    started = Started("p", " --profile p", "/home/it's mine/kubeconfig", "https://127.0.0.1:6443", "http://127.0.0.1")
    show_started(started, detached=True)
    told = capsys.readouterr()
    assert """export KUBECONFIG='/home/it'"'"'s mine/kubeconfig'""" in told.out + told.err


def test_what_to_type_next_has_the_dashboard_after_the_kubeconfig(capsys: pytest.CaptureFixture[str]) -> None:
    started = Started("p", " --profile p", "/home/kubeconfig", "https://127.0.0.1:6443", "http://127.0.0.1")
    show_started(started, detached=False)
    captured = capsys.readouterr()
    told = captured.out + captured.err
    assert 0 < told.index("export KUBECONFIG=") < told.index("remora dashboard")
