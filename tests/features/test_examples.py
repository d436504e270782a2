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

import msgspec
import pytest
import yaml

from remora.cluster.builtin import add_builtin_images, builtin_images
from remora.cluster.kubelet.images import Image, ImageCatalog
from remora.cluster.ports import free_port

EXAMPLES = Path(__file__).parents[2] / "examples"
ADDRESS = "127.250.2.1"


@contextlib.contextmanager
def running(image: str, *, listens: int = 0) -> Iterator[str]:
    """A built-in image's command as a pod would run it; where it answers: at the port that it is told, or at one of its own."""
    found = next(known for known in builtin_images() if known.name == image)
    port = str(free_port(ADDRESS))
    told = {"POD_IP": ADDRESS, "PORT": port, "POD_NAME": "pod-1", "HOSTNAME": "pod-1"}
    command = [word.replace("$(POD_IP)", ADDRESS).replace("$(PORT)", port) for word in found.command]
    environment = {**os.environ, **found.env, **told}
    process = subprocess.Popen(
        command, cwd=found.workdir, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    place = f"{ADDRESS}:{listens or port}"
    try:
        _wait_listening(place)
        yield place
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
    with running("remora/echo:1") as place:
        assert ask(place, "/") == (200, "pod-1\n")


@pytest.mark.parametrize("image", ["hashicorp/http-echo", "hashicorp/http-echo:0.2.3"])
def test_http_echo_listens_on_5678_whatever_port_a_pod_declares(image: str) -> None:
    with running(image, listens=5678) as place:
        assert ask(place, "/") == (200, "pod-1\n")


@pytest.mark.parametrize("version", ["1.0", "2.0"])
def test_the_hello_app_tells_its_version_and_its_pods_name(version: str) -> None:
    with running(f"gcr.io/google-samples/hello-app:{version}", listens=8080) as place:
        assert ask(place, "/") == (200, f"Hello, world!\nVersion: {version}.0\nHostname: pod-1\n")


def test_an_image_of_ours_is_brought_up_to_date_and_one_that_a_person_put_there_stays(tmp_path: Path) -> None:
    catalog = ImageCatalog(tmp_path / "images.json")
    add_builtin_images(catalog)
    wanted = catalog.read()["hashicorp/http-echo"]
    catalog.add(msgspec.structs.replace(wanted, command=("older",)))
    own = Image(name="gcr.io/google-samples/hello-app:1.0", command=("mine",))
    catalog.add(own)
    add_builtin_images(catalog)
    assert catalog.read()["hashicorp/http-echo"] == wanted
    assert catalog.read()[own.name] == own


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
