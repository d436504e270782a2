"""`remora status`, `down`, `delete`, `profiles`, `kubeconfig`: what can be asked of local clusters, running or not."""

from typing import Annotated

import typer

from remora.cli.options import Output, OutputOption, ProfileOption


def status(
    profile: ProfileOption = "default",
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Go on showing it, every second.")] = False,
    output: OutputOption = Output.TEXT,
) -> None:
    """Show what a local cluster runs, where it can be reached, and what is wrong."""
    import time

    from remora.cli import local
    from remora.cli.render.status import show_status, status_lines
    from remora.cli.render.watching import Sight
    from remora.cli.render.watching import watch as go_on
    from remora.cli.status import read_status

    which = local.existing(profile)

    def sight() -> Sight:
        found = read_status(which)
        return Sight(lambda width, colour: tuple(status_lines(found, width, colour, now=time.time())), found, essence=found)

    if watch:
        go_on(sight, output)
        return
    found = read_status(which)
    show_status(found, output)
    if not found.running:
        raise typer.Exit(1)


def down(profile: ProfileOption = "default") -> None:
    """Stop a local cluster; what it keeps stays for the next `remora up`."""
    from remora.cli import local
    from remora.cli.render import say

    found = local.place_of(profile)
    pid = local.stop(found)
    say(
        f"Profile {found.name} is down; its state stays in {found.directory}." if pid else f"Profile {found.name} does not run."
    )


def delete(
    profile: ProfileOption = "default",
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Stop a local cluster and remove everything that it keeps."""
    from remora.cli import local
    from remora.cli.render import say
    from remora.cluster.profile import delete_profile

    found = local.place_of(profile)
    if not yes:
        typer.confirm(f"Remove profile {found.name} with everything in {found.directory}?", abort=True, err=True)
    local.stop(found)
    delete_profile(found)
    say(f"Profile {found.name} is removed.")


def profiles(output: OutputOption = Output.TEXT) -> None:
    """List the local clusters of this user."""
    from remora.cli import render
    from remora.cluster.lock import find_runner
    from remora.cluster.profile import profiles as all_profiles

    render.profiles([(profile, find_runner(profile)) for profile in all_profiles()], output)


def kubeconfig(
    profile: ProfileOption = "default",
    merge: Annotated[
        bool, typer.Option("--merge", help="Add it to your own kubeconfig and make it the current context.")
    ] = False,
    output: OutputOption = Output.TEXT,
) -> None:
    """Print the path of a local cluster's kubeconfig."""
    from remora.cli import local
    from remora.cli.contexts import read_contexts
    from remora.cli.kubeconfig import merge_kubeconfig
    from remora.cli.render import say
    from remora.cli.render.look import document

    found = local.started(profile)
    target, context = found.kubeconfig, read_contexts(str(found.kubeconfig)).current
    if merge:
        target, context = merge_kubeconfig(found.kubeconfig, found.name)
        say(f"Context {context} is the current one of {target}.")
    if not document({"profile": found.name, "kubeconfig": str(target), "context": context}, output) and not merge:
        print(found.kubeconfig)
