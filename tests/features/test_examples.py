"""The example applications by themselves, without a cluster."""

import contextlib
import http.client
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from remora.cluster.builtin import builtin_images
from remora.cluster.ports import free_port

EXAMPLES = Path(__file__).parents[2] / "examples"
ADDRESS = "127.250.2.1"


@contextlib.contextmanager
def running(image: str) -> Iterator[str]:
    """A built-in image's command as a pod would run it; where it answers."""
    found = next(known for known in builtin_images() if known.name == image)
    port = str(free_port(ADDRESS))
    told = {"POD_IP": ADDRESS, "PORT": port, "POD_NAME": "pod-1"}
    command = [word.replace("$(POD_IP)", ADDRESS).replace("$(PORT)", port) for word in found.command]
    environment = {**os.environ, **found.env, **told}
    process = subprocess.Popen(
        command, cwd=found.workdir, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        _wait_listening(f"{ADDRESS}:{port}")
        yield f"{ADDRESS}:{port}"
    finally:
        process.terminate()
        process.wait(20)


def _wait_listening(place: str) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            ask(place, "/")
        except OSError:
            assert time.monotonic() < deadline, "it does not listen"
            time.sleep(0.05)
        else:
            return


def ask(place: str, path: str, **headers: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection(place, timeout=30)
    try:
        connection.request("GET", path, headers=headers)
        response = connection.getresponse()
        return response.status, response.read().decode()
    finally:
        connection.close()


def test_the_sticky_session_app_answers_with_the_id_of_its_process() -> None:
    with running("remora/sticky-session:1") as place:
        first, second = ask(place, "/"), ask(place, "/")
        assert ask(place, "/health")[0] == 200
        client = [sys.executable, "client.py", f"http://{place}/", "sticky.localhost", "--count", "1"]
        seen = subprocess.run(client, cwd=EXAMPLES / "sticky-session", capture_output=True, text=True, timeout=30, check=True)
    assert first == second
    identity = json.loads(first[1])["uuid"]
    assert seen.stdout == f'200 {{"uuid":"{identity}"}}  cookie: none\n'


def test_the_echo_headers_app_returns_what_it_received() -> None:
    with running("remora/echo-headers:1") as place:
        status, body = ask(place, "/foo?a=b", **{"X-Colour": "blue"})
    answer = json.loads(body)
    assert status == 200
    assert (answer["pod"], answer["ip"], answer["method"], answer["path"]) == ("pod-1", ADDRESS, "GET", "/foo?a=b")
    assert answer["headers"]["X-Colour"] == "blue"


def test_the_echo_app_answers_with_its_pods_name() -> None:
    with running("hashicorp/http-echo") as place:
        assert ask(place, "/") == (200, "pod-1\n")


def test_the_two_ingresses_of_the_walk_through_are_one_object() -> None:
    plain, sticky = (
        yaml.safe_load((EXAMPLES / "sticky-session" / name).read_text()) for name in ("ingress.yml", "ingress-sticky.yml")
    )
    assert len(sticky["metadata"].pop("annotations")) == 4
    assert plain == sticky


@pytest.mark.parametrize("example", ["sticky-session", "echo-headers"])
def test_every_file_that_a_readme_names_exists(example: str) -> None:
    words = (EXAMPLES / example / "README.md").read_text().split()
    named = {word for word in words if word.startswith("examples/") and word != "examples/sticky-session"}
    assert named
    assert all((EXAMPLES.parent / name).is_file() for name in named)
