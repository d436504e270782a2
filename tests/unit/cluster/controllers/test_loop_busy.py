"""What a controller does while a webhook lets one of its keys wait."""

import asyncio

from remora.cluster.controllers.loop import Loop


async def test_a_key_that_waits_holds_up_no_other_and_is_not_begun_twice() -> None:
    release, ended = asyncio.Event(), asyncio.Event()
    begun: list[str] = []

    async def reconcile(key: str) -> None:
        begun.append(key)
        if key == "slow" and begun.count("slow") == 1:
            await release.wait()
        if key == "last":
            ended.set()

    loop: Loop[str] = Loop("test", reconcile)
    running = asyncio.create_task(loop.run())
    for key in ("slow", "quick"):
        loop.add(key)
    async with asyncio.timeout(20):
        while "quick" not in begun:
            await asyncio.sleep(0.01)
        loop.add("slow")
        loop.add("last")
        await ended.wait()
        assert begun == ["slow", "quick", "last"]
        release.set()
        while begun.count("slow") < 2:
            await asyncio.sleep(0.01)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_the_end_of_the_loop_is_the_end_of_what_it_began() -> None:
    cancelled = asyncio.Event()

    async def reconcile(key: str) -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.set()
            raise

    loop: Loop[str] = Loop("test", reconcile)
    running = asyncio.create_task(loop.run())
    loop.add("a")
    while not loop._busy:
        await asyncio.sleep(0)
    await asyncio.sleep(0)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    async with asyncio.timeout(20):
        await cancelled.wait()
