"""Images from Dockerfiles: built with the command, run as pods."""

import base64
import hashlib
import json
import os
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from typing import Any

import msgspec
import pytest

from remora.cli.images import build_image, remove_image
from remora.cluster.images.build import Request, build
from remora.cluster.images.dockerfile import DockerfileError
from remora.cluster.kubelet.images import Image
from remora.core.errors import UsageError
from tests.cluster.small_cluster import pod, small_cluster, until

DOCKERFILE = """
ARG WHO=nobody
FROM python:3 AS packages
COPY *.whl /wheels/
RUN python -m venv /opt/venv
ENV PATH="/opt/venv/bin:$PATH"
COPY requirements.txt .
RUN pip install --no-cache-dir --no-index --find-links /wheels \\
    -r requirements.txt

FROM python:3
ARG WHO
RUN apt-get update && apt-get install -y curl && mkdir -p /app/data && useradd app
COPY --from=packages /opt/venv /opt/venv
ENV PATH="/opt/venv/bin:$PATH" PYTHONPATH=/app/lib GREETING="hello $WHO"
WORKDIR /app
COPY --chown=app . .
RUN <<END
chmod +x /app/start.sh
END
COPY <<END /app/conf.txt
$GREETING
END
USER app
EXPOSE 9000
ENTRYPOINT ["/app/start.sh"]
CMD ["0.0.0.0", "/app/conf.txt"]
"""
SHOW = """
import os, sys, time, tiny
for _ in range(600):
    if os.path.exists("data/copied"): break
    time.sleep(0.05)
print(os.getcwd(), sys.argv[1], open(sys.argv[2]).read().strip(), tiny.VERSION, os.listdir())
"""


def write_wheel(folder: Path) -> None:
    """A package without dependencies, so that pip needs no index."""
    files = {
        "tiny.py": "VERSION = '1.0'\n",
        "tiny-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n",
        "tiny-1.0.dist-info/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = ""
    with zipfile.ZipFile(folder / "tiny-1.0-py3-none-any.whl", "w") as wheel:
        for name, text in files.items():
            wheel.writestr(name, text)
            digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
            record += f"{name},sha256={digest},{len(text)}\n"
        wheel.writestr("tiny-1.0.dist-info/RECORD", record + "tiny-1.0.dist-info/RECORD,,\n")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("context")
    write_wheel(folder)
    (folder / "Dockerfile").write_text(DOCKERFILE)
    (folder / "requirements.txt").write_text("tiny\n")
    (folder / ".dockerignore").write_text("*.log\n*.whl\n!tiny*\n")
    (folder / "secret.log").touch()
    (folder / "start.sh").write_text('#!/bin/sh\nexec python -c "$SHOW" "$@"\n')
    return folder


def remora(home: Path, *arguments: str, code: int = 0) -> tuple[str, str]:
    """Standard output and error of `remora image`."""
    command = [sys.executable, "-m", "remora", "image", *arguments]
    done = subprocess.run(command, env={**os.environ, "REMORA_HOME": str(home)}, capture_output=True, text=True, timeout=100)
    assert done.returncode == code, done.stderr
    return done.stdout, done.stderr


async def test_a_dockerfile_becomes_an_image_that_pods_run(home: Path, context: Path, tmp_path: Path) -> None:
    command = ("build", "-t", "shop/web:1", "--build-arg", "WHO=you", "-o", "json", str(context))
    out, err = remora(home, *command)
    assert "apt-get is not run: what the program needs of curl must be on this machine" in err
    image = msgspec.convert(json.loads(out)["image"], Image)
    assert (image.ports, image.env["GREETING"]) == ((9000,), "hello you")
    async with small_cluster(tmp_path) as cluster:
        cluster.images.add(image)
        hook = {"postStart": {"exec": {"command": ["sh", "-c", "cp /app/conf.txt /app/data/copied"]}}}
        env = [{"name": "SHOW", "value": SHOW}]
        spec = pod("one", image="shop/web:1", env=env, imagePullPolicy="Never", lifecycle=hook)
        spec["spec"]["restartPolicy"] = "Never"
        await cluster.registry.create("pods", spec)
        await until(lambda: cluster.pod("one")["status"]["phase"] in ("Succeeded", "Failed"))
        text = await cluster.log("one")
        assert text.startswith(f"{image.root}/app {cluster.pod('one')['status']['podIP']} hello you 1.0 [")
        assert "secret.log" not in text
        await until(lambda: Path(f"{image.root}/app/data/copied").exists())
    out, err = remora(home, *command)
    assert "installed by an earlier build" in err
    again = json.loads(out)["image"]
    assert again["venv"] == image.venv
    assert again["root"] != image.root
    assert not Path(image.root).exists(), "no pod runs it any more"
    remora(home, "remove", "shop/web:1")
    assert not Path(again["root"]).exists()


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("FROM python:3\nRUN curl -O a\n", "Dockerfile:2: RUN curl -O a: 'curl' is not run"),
        ("FROM python:3\nCOPY no.txt .\n", "Dockerfile:2: no.txt is not in the build's folder"),
        (
            "FROM python:3\n\nRUN pip install -r no.txt",
            "Dockerfile:3: RUN pip install -r no.txt: no.txt is not in the image: COPY",
        ),
        ("FROM python:3\nCOPY ../x .\n", "is outside of the build's folder"),
        ("FROM python:3\nADD https://x/y /y\n", "nothing is fetched"),
        ("FROM python:3\nCOPY --from=other/image /x /x\n", "is no stage of this file"),
        ("RUM x\n", "Dockerfile:1: unknown instruction RUM"),
    ],
)
def test_what_cannot_be_honoured_names_file_line_and_way_out(home: Path, tmp_path: Path, text: str, wanted: str) -> None:
    folder = home / "refused"
    (tmp_path / "Dockerfile").write_text(text)
    request = Request(
        tag="bad",
        context=tmp_path,
        dockerfile=tmp_path / "Dockerfile",
        folder=folder,
        build=tmp_path.name,
        created="",
    )
    with pytest.raises(DockerfileError) as caught:
        build(request, lambda _: None)
    assert wanted in f"Dockerfile:{caught.value.line}: {caught.value}"
    assert not (folder / tmp_path.name).exists()


def test_pip_and_rm_touch_nothing_of_the_machine(home: Path, context: Path, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.touch()
    dockerfile = tmp_path / "Dockerfile"
    dockerfile.write_text(
        f"FROM python:3\nCOPY *.whl /wheels/\nRUN pip download --no-index --find-links /wheels -d {tmp_path}/out tiny\n"
        f"RUN rm -rf {kept} ../../../..{kept} {tmp_path}/out/no* && chmod 000 {kept}\n"
    )
    request = Request(tag="tidy", context=context, dockerfile=dockerfile, folder=home / "refused", build="tidy", created="")
    built = build(request, lambda _: None)
    assert [path.name for path in Path(f"{built.image.root}{tmp_path}/out").iterdir()] == ["tiny-1.0-py3-none-any.whl"]
    assert kept.stat().st_mode & 0o777
    assert not (tmp_path / "out").exists()


def test_wrong_names_and_folders_are_refused(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REMORA_HOME", str(home))
    nothing: dict[str, Any] = {"file": None, "arguments": {}, "target": "", "tell": lambda _: None}
    with pytest.raises(UsageError, match="cannot be an image's name"):
        build_image("default", "Shop/Web", tmp_path, **nothing)
    with pytest.raises(UsageError, match="name the Dockerfile with --file"):
        build_image("default", "web", tmp_path, **nothing)
    with pytest.raises(UsageError, match="comes with Remora"):
        remove_image("default", "remora/echo:1")
    with pytest.raises(UsageError, match="remora image list"):
        remove_image("default", "no")


def test_an_interrupted_build_leaves_nothing(home: Path, tmp_path: Path) -> None:
    started = tmp_path / "started"
    (tmp_path / "wait.py").write_text(f"import pathlib, time; pathlib.Path({str(started)!r}).touch(); time.sleep(100)")
    (tmp_path / "Dockerfile").write_text("FROM python:3\nCOPY wait.py .\nRUN python wait.py\n")
    command = [sys.executable, "-m", "remora", "image", "build", "-t", "half", str(tmp_path)]
    env = {**os.environ, "REMORA_HOME": str(home)}
    process = subprocess.Popen(command, env=env, stderr=subprocess.PIPE, start_new_session=True)
    try:
        while not started.exists():
            assert process.poll() is None
            time.sleep(0.05)
        os.killpg(process.pid, signal.SIGINT)
        process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130
    known = {Path(image["root"]).parent.name for image in json.loads(remora(home, "list", "-o", "json")[0]) if image["root"]}
    assert {path.name for path in (home / "default" / "images").iterdir()} == {"venvs", *known}
