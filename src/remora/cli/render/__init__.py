"""Results into text: data to stdout, talk to stderr; tables and colour on a terminal, plain lines elsewhere."""

import shlex
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from remora.cli.options import Output
from remora.cli.render.look import Cell, document, print_table

if TYPE_CHECKING:
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
        {
            "name": profile.name,
            "running": pid is not None,
            "pid": pid,
            "directory": str(profile.directory),
            "damage": profile.damage,
        }
        for profile, pid in found
    ]
    if document(rows, output):
        return
    if not rows:
        say("There is no profile yet; `remora up` makes one.")
    lines = [(profile.name, _state(profile, pid), str(profile.directory)) for profile, pid in found]
    table(("PROFILE", "STATE", "DIRECTORY"), lines, output)
    for profile, _ in found:
        if profile.damage:
            say(f"{profile.name}: {profile.damage}, or `remora delete{profile.option}`")


def _state(profile: "Profile", pid: int | None) -> str:
    state = f"running (pid {pid})" if pid is not None else "down"
    return f"{state}, damaged" if profile.damage else state


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


def table(headings: Sequence[str], rows: Sequence[Sequence[Cell]], output: Output = Output.TEXT) -> None:
    """Rows under headings in columns; nothing for no rows."""
    print_table(headings, rows, whole=output is Output.WIDE)
