"""`remora image`: what the local cluster knows by an image name."""

from pathlib import Path
from typing import Annotated

import typer

from remora.cli.options import Output, OutputOption, ProfileOption

app = typer.Typer(help="What the local cluster knows by an image name: commands, and what was built.", no_args_is_help=True)


@app.command()
def add(
    name: Annotated[str, typer.Argument(help="The image's name, as a pod's spec says it.")],
    command: Annotated[list[str], typer.Argument(help="The command and its arguments; $(POD_IP) and $(PORT) are the pod's.")],
    workdir: Annotated[
        Path | None, typer.Option(help="Where to run it.", exists=True, file_okay=False, resolve_path=True)
    ] = None,
    env: Annotated[list[str] | None, typer.Option(help="K=V for its environment; may be given several times.")] = None,
    profile: ProfileOption = "default",
    output: OutputOption = Output.TEXT,
) -> None:
    """Make a command known as an image: remora image add NAME [--workdir DIR] [--env K=V] -- COMMAND [ARG...]"""
    from remora.cli import render
    from remora.cli.images import add_image, parse_environment

    image = add_image(profile, name, command, workdir=str(workdir or ""), env=parse_environment(env or []))
    render.image_made(image, profile, output)


@app.command()
def build(
    folder: Annotated[Path, typer.Argument(help="The folder with the Dockerfile and what it copies.", metavar="DIR")],
    tag: Annotated[str, typer.Option("--tag", "-t", help="NAME[:TAG], as a pod's spec says it.")],
    file: Annotated[Path | None, typer.Option("--file", "-f", help="The Dockerfile, if it is not DIR/Dockerfile.")] = None,
    build_arg: Annotated[list[str] | None, typer.Option(help="K=V for an ARG; may be given several times.")] = None,
    target: Annotated[str, typer.Option(help="The stage to build, by name or number; the last one unless given.")] = "",
    profile: ProfileOption = "default",
    output: OutputOption = Output.TEXT,
) -> None:
    """Build an image from a Dockerfile, read for what a process needs."""
    from remora.cli import render
    from remora.cli.images import build_image, parse_environment
    from remora.core.errors import UsageError

    if not folder.is_dir():
        raise UsageError(f"there is no folder {folder}")
    arguments = parse_environment(build_arg or [], "--build-arg")
    built = build_image(profile, tag, folder.resolve(), file=file, arguments=arguments, target=target, tell=render.say)
    render.image_built(built, profile, output)


@app.command("list")
def list_(profile: ProfileOption = "default", output: OutputOption = Output.TEXT) -> None:
    """List the images that are known, with what they run."""
    from remora.cli import render
    from remora.cli.images import read_images

    render.images(read_images(profile), output)


@app.command()
def remove(
    name: Annotated[str, typer.Argument(help="The image's name, as `remora image list` shows it.")],
    profile: ProfileOption = "default",
) -> None:
    """Forget an image; pods that run it go on."""
    from remora.cli.images import remove_image
    from remora.cli.render import say

    remove_image(profile, name)
    say(f"{name} is no longer known in profile {profile}.")
