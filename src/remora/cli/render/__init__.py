"""Results into text: data to stdout, talk to stderr; tables and colour on a terminal, plain lines elsewhere."""

import shlex
import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from remora.cli.options import Output
from remora.cli.render.look import Cell, Marked, Meaning, age_since, document, print_table, state

if TYPE_CHECKING:
    from remora.cli.status import ServiceLine, Status
    from remora.cli.urls import Urls
    from remora.cluster.images.build import Built
    from remora.cluster.kubelet.images import Image
    from remora.cluster.profile import Profile


NOTE = "note: "
"""Begins a line that tells of something other than usual."""


def say(text: str) -> None:
    """A line for the person."""
    print(text, file=sys.stderr, flush=True)


def json_document(value: Any) -> None:
    """A value for programs, as JSON."""
    document(value, Output.JSON)


def data_document(value: Any, output: str) -> None:
    """A value for programs, as JSON or YAML."""
    document(value, Output(output))


def urls(found: "Urls", output: Output) -> None:
    """One URL in a line; what is wrong goes to the person."""
    if document(found, output):
        return
    if found.problem:
        say(f"{NOTE}{found.problem}")
    if sys.stdout.isatty():
        say(f"in pods: {found.name}")
    print("\n".join(found.urls))


def profiles(found: Sequence[tuple["Profile", int | None]], output: Output) -> None:
    """All profiles, running or not."""
    rows = [
        {"name": profile.name, "running": pid is not None, "pid": pid, "directory": str(profile.directory)}
        for profile, pid in found
    ]
    if document(rows, output):
        return
    if not rows:
        say("There is no profile yet; `remora up` makes one.")
    pids = [f"running (pid {row['pid']})" if row["running"] else "down" for row in rows]
    lines = [(row["name"], pid, row["directory"]) for row, pid in zip(rows, pids, strict=True)]
    table(("PROFILE", "STATE", "DIRECTORY"), lines, output)


def images(found: Sequence["Image"], output: Output) -> None:
    """Known images with their commands."""
    if not document(found, output):
        table(("IMAGE", "COMMAND", "DIRECTORY", "BUILT"), [_image(image) for image in found], output)


def image_made(image: "Image", profile: str, output: Output) -> None:
    """An image that is known now."""
    document(image, output)
    say(f"{image.name} is known in profile {profile}; use it with: kubectl create deployment web --image={image.name}")


def image_built(built: "Built", profile: str, output: Output) -> None:
    """An image that was built, and what its Dockerfile asks for in vain."""
    for note in built.notes:
        say(f"{NOTE}{note}")
    document(built, output)
    image_made(built.image, profile, Output.TEXT)


def _image(image: "Image") -> tuple[str, str, str, str]:
    return (image.name, shlex.join((*image.command, *image.arguments)), image.root + image.workdir, image.created or "-")


def status(found: "Status", output: Output) -> None:
    """One cluster with its pods, Services and Ingresses."""
    if document(found, output):
        return
    if not found.running:
        say(f"Profile {found.profile} does not run; its state is in {found.directory}.")
        return
    head = (
        ("profile", f"{found.profile} (pid {found.pid})"),
        ("API server", found.server),
        ("entry", found.entry or "not yet"),
    )
    for name, value in head:
        print(f"{name:<11} {value}")
    print()
    now = time.time()
    pods = [
        (pod.namespace, pod.name, pod.ready, state(pod.state), pod.restarts, age_since(pod.created, now), pod.ip)
        for pod in found.pods
    ]
    table(("NAMESPACE", "POD", "READY", "STATUS", "RESTARTS", "AGE", "IP"), pods, output)
    services = [(item.namespace, item.name, item.type, _where(item)) for item in found.services]
    table(("NAMESPACE", "SERVICE", "TYPE", "URL"), services, output)
    ingresses = [(item.namespace, item.name, ",".join(item.hosts) or "*", item.address or "-") for item in found.ingresses]
    table(("NAMESPACE", "INGRESS", "HOSTS", "ADDRESS"), ingresses, output)


def _where(item: "ServiceLine") -> Cell:
    return Marked(item.problem, Meaning.BAD) if item.problem else " ".join(item.urls) or "-"


def table(headings: Sequence[str], rows: Sequence[Sequence[Cell]], output: Output = Output.TEXT) -> None:
    """Rows under headings in columns; nothing for no rows."""
    print_table(headings, rows, whole=output is Output.WIDE)
