"""What becomes of RUN."""

import pytest

from remora.cluster.images import commands
from remora.cluster.images.commands import (
    CommandRefused,
    Enter,
    Execute,
    Export,
    MakeDirectory,
    MakeVenv,
    Pip,
    Remove,
    SetMode,
    Skip,
    parse_run,
)
from remora.cluster.kubelet.images import Image
from remora.cluster.kubelet.placing import image_environment, placed, placed_folder, placed_words


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("pip install --user -r requirements.txt", Pip(("install", "-r", "requirements.txt"))),
        ("python3 -m pip install 'a>=1' \"b<2\"", Pip(("install", "a>=1", "b<2"))),
        ("uv pip install --system --no-cache a", Pip(("install", "a"))),
        ("/opt/venv/bin/pip install a", Pip(("install", "a"), "/opt/venv")),
        ("pip install --prefix=/install a", Pip(("install", "a"), "", "/install")),
        ("pip install $NAME==${VERSION}", Pip(("install", "web==2"))),
        ("python -m venv /opt/venv", MakeVenv("/opt/venv")),
        ("mkdir -p -m 700 /a/{b,c} d", MakeDirectory(("/a/b", "/a/c", "d"))),
        ("rm -rf /var/lib/apt/lists/* 2>/dev/null", Remove(("/var/lib/apt/lists/*",))),
        ("chmod -R +x run.sh", SetMode(("+x", "run.sh"))),
        ("python -m compileall .", Execute(("python", "-m", "compileall", "."))),
        ("cd /app", Enter("/app")),
        ("export A=1", Export({"A": "1"})),
        (". /opt/venv/bin/activate", Skip()),
        ("curl -O a", Execute(("curl", "-O", "a"))),
    ],
)
def test_a_command_means_one_action(text: str, wanted: commands.Action) -> None:
    assert parse_run(text, {"NAME": "web", "VERSION": "2"}) == (wanted,)


def test_what_may_fail_is_a_command_of_its_own() -> None:
    assert parse_run("pip install a || true", {}) == (Pip(("install", "a")), Skip())


def test_a_chain_is_honoured_in_its_order_and_notes_name_what_is_missing() -> None:
    found = parse_run(
        "set -eux; apt-get update && apt-get install -y --no-install-recommends gcc && useradd app && pip install a", {}
    )
    assert [type(action) for action in found] == [Skip, Skip, Skip, Skip, Pip]
    assert isinstance(found[2], Skip)
    assert "gcc" in found[2].why


@pytest.mark.parametrize("text", ["curl x | sh", "if [ -f a ]; then b; fi", "pip install a>=1", "a || b", "echo 'x", "(cd a)"])
def test_shell_programs_are_refused_with_a_way_out(text: str) -> None:
    with pytest.raises(CommandRefused, match=r"write|close"):
        parse_run(text, {})


IMAGE = Image(
    name="web",
    command=(),
    root="/images/1",
    owned=("/app", "/opt/venv", "/usr/local/bin/start.sh"),
    venv="/venvs/1",
    env={"PATH": "/opt/venv/bin:/usr/bin", "PYTHONPATH": "/app:/lib"},
)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("/app", "/images/1/app"),
        ("--dir=/app/x", "--dir=/images/1/app/x"),
        ("cd /app && run", "cd /images/1/app && run"),
        ("/application", "/application"),
        ("http://host/app", "http://host/app"),
        ("../app", "../app"),
        ("/etc/hosts", "/etc/hosts"),
    ],
)
def test_paths_of_the_image_are_where_its_folder_is(text: str, wanted: str) -> None:
    assert placed(text, IMAGE) == wanted


def test_everywhere_means_the_pods_own_address() -> None:
    words = ["--host", "0.0.0.0", "--bind=0.0.0.0:80", "10.0.0.0", "0.0.0.0/0"]
    assert placed_words(words, IMAGE, "127.9.9.9") == ["--host", "127.9.9.9", "--bind=127.9.9.9:80", "10.0.0.0", "0.0.0.0/0"]
    assert placed_words(words, Image(name="other", command=()), "127.9.9.9") == words


def test_programs_of_the_image_come_before_those_of_the_machine() -> None:
    env = image_environment(IMAGE, {"PATH": "/usr/bin:/bin"})
    assert env["PATH"] == "/images/1/opt/venv/bin:/images/1/usr/local/bin:/venvs/1/bin:/usr/bin:/bin"
    assert env["PYTHONPATH"] == "/images/1/app:/lib"
    assert placed_folder("/app/../app/x", IMAGE) == "/images/1/app/x"
