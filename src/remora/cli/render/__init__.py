"""Results into text: data to stdout, talk to stderr; tables and colour on a terminal, plain lines elsewhere."""

import shlex
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from remora.cli.options import Output

if TYPE_CHECKING:
    from remora.cli.status import Status
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
    """A value for programs."""
    print(msgspec.json.format(msgspec.json.encode(value)).decode())


def urls(found: "Urls", output: Output) -> None:
    """One URL in a line; what is wrong goes to the person."""
    if output is Output.JSON:
        json_document(found)
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
    if output is Output.JSON:
        json_document(rows)
    elif not rows:
        say("There is no profile yet; `remora up` makes one.")
    else:
        lines = [(row["name"], f"running (pid {row['pid']})" if row["running"] else "down", row["directory"]) for row in rows]
        table(("PROFILE", "STATE", "DIRECTORY"), lines)


def images(found: Sequence["Image"], output: Output) -> None:
    """Known images with their commands."""
    if output is Output.JSON:
        json_document(found)
    else:
        table(("IMAGE", "COMMAND", "DIRECTORY", "BUILT"), [_image(image) for image in found])


def image_made(image: "Image", profile: str, output: Output) -> None:
    """An image that is known now."""
    if output is Output.JSON:
        json_document(image)
    say(f"{image.name} is known in profile {profile}; use it with: kubectl create deployment web --image={image.name}")


def image_built(built: "Built", profile: str, output: Output) -> None:
    """An image that was built, and what its Dockerfile asks for in vain."""
    for note in built.notes:
        say(f"{NOTE}{note}")
    if output is Output.JSON:
        json_document(built)
    image_made(built.image, profile, Output.TEXT)


def _image(image: "Image") -> tuple[str, str, str, str]:
    return (image.name, shlex.join((*image.command, *image.arguments)), image.root + image.workdir, image.created or "-")


def status(found: "Status", output: Output) -> None:
    """One cluster with its pods, Services and Ingresses."""
    if output is Output.JSON:
        json_document(found)
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
    pods = [(pod.namespace, pod.name, pod.ready, pod.state, str(pod.restarts), pod.ip) for pod in found.pods]
    table(("NAMESPACE", "POD", "READY", "STATUS", "RESTARTS", "IP"), pods)
    services = [(item.namespace, item.name, item.type, item.problem or " ".join(item.urls) or "-") for item in found.services]
    table(("NAMESPACE", "SERVICE", "TYPE", "URL"), services)
    ingresses = [(item.namespace, item.name, ",".join(item.hosts) or "*", item.address or "-") for item in found.ingresses]
    table(("NAMESPACE", "INGRESS", "HOSTS", "ADDRESS"), ingresses)


def table(headings: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Rows under headings in columns, as kubectl shows them; nothing for no rows."""
    if not rows:
        return
    cells = [tuple(str(cell).replace("\n", "\\n") for cell in row) for row in (headings, *rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(headings))]
    for number, row in enumerate(cells):
        line = "   ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        print(_bold(line) if number == 0 else line)
    print()


def _bold(text: str) -> str:
    return f"\033[1m{text}\033[0m" if sys.stdout.isatty() else text
