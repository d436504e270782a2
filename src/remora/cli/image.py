"""`remora image`: commands known by an image name."""

from pathlib import Path
from typing import Annotated

import typer

from remora.cli.options import Output, OutputOption, ProfileOption

app = typer.Typer(help="Commands that the local cluster knows by an image name.", no_args_is_help=True)


@app.command()
def add(
    name: Annotated[str, typer.Argument(help="The image's name, as a pod's spec says it.")],
    command: Annotated[list[str], typer.Argument(help="The command and its arguments; $(POD_IP) and $(PORT) are the pod's.")],
    workdir: Annotated[
        Path | None, typer.Option(help="Where to run it.", exists=True, file_okay=False, resolve_path=True)
    ] = None,
    env: Annotated[list[str] | None, typer.Option(help="K=V for its environment; may be given several times.")] = None,
    profile: ProfileOption = "default",
) -> None:
    """Make a command known as an image: remora image add NAME [--workdir DIR] [--env K=V] -- COMMAND [ARG...]"""
    from remora.cli.images import add_image, parse_environment
    from remora.cli.render import say

    add_image(profile, name, command, workdir=str(workdir or ""), env=parse_environment(env or []))
    say(f"{name} is known in profile {profile}; use it with: kubectl create deployment web --image={name}")


@app.command("list")
def list_(profile: ProfileOption = "default", output: OutputOption = Output.TEXT) -> None:
    """List the images that are known."""
    from remora.cli import render
    from remora.cli.images import read_images

    render.images(read_images(profile), output)


@app.command()
def remove(name: Annotated[str, typer.Argument(help="The image's name.")], profile: ProfileOption = "default") -> None:
    """Forget an image; pods that run it go on."""
    from remora.cli.images import remove_image
    from remora.cli.render import say

    remove_image(profile, name)
    say(f"{name} is no longer known in profile {profile}.")
