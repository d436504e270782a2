"""`remora top`: what happens now, by route and by pod."""

from typing import Annotated

import typer

from remora.cli.options import ContextOption, KubeconfigOption, Output, OutputOption


def top(
    once: Annotated[bool, typer.Option("--once", help="Print it once and end, for logs and scripts.")] = False,
    interval: Annotated[float, typer.Option("--interval", min=0.2, help="Seconds between two looks.")] = 2.0,
    controller: Annotated[str, typer.Option("--controller", help="URL of one controller's health port to ask.")] = "",
    kubeconfig: KubeconfigOption = "",
    context: ContextOption = "",
    output: OutputOption = Output.TEXT,
) -> None:
    """Watch requests, errors, latencies and sessions of routes and pods, like top; ? shows the keys."""
    import asyncio
    import shutil
    import sys
    import time

    from remora.cli.health_ports import Whom
    from remora.cli.render.look import document, has_colour
    from remora.cli.render.watching import Sight, watch
    from remora.cli.topping.draw import report_lines
    from remora.cli.topping.rates import View
    from remora.cli.topping.run import read_once, run_screen

    whom = Whom(controller, kubeconfig, context)

    def sight() -> Sight:
        view = asyncio.run(read_once(whom, interval))
        return Sight(lambda width, colour: tuple(report_lines(view, now=time.time(), width=width, colour=colour)), view)

    def show(view: View) -> None:
        is_cut = sys.stdout.isatty() and output is not Output.WIDE
        width = shutil.get_terminal_size().columns if is_cut else None
        print("\n".join(report_lines(view, now=time.time(), width=width, colour=has_colour())))

    if once:
        found = asyncio.run(read_once(whom, interval))
        if not document(found, output):
            show(found)
    elif sys.stdout.isatty() and output in (Output.TEXT, Output.WIDE):
        raise typer.Exit(asyncio.run(run_screen(whom, interval)))
    else:
        watch(sight, output, pause=0)
