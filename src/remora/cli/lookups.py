"""Names elsewhere, asked for once: what `remora explain` and `remora routes` show of Services of type ExternalName."""

import asyncio
from collections.abc import Iterable

from remora.kube.objects import DnsAnswer, ObjectMeta
from remora.resolve.answers import Addresses
from remora.resolve.lookup import Lookup, ResolverSettings


def find_answers(names: Iterable[str], servers: tuple[tuple[str, int], ...]) -> tuple[DnsAnswer, ...]:
    """What DNS says here and now, one answer for each name; `servers` go before those of this machine."""
    return asyncio.run(_find_answers(sorted(names), Lookup(ResolverSettings(servers=servers))))


async def _find_answers(names: list[str], lookup: Lookup) -> tuple[DnsAnswer, ...]:
    replies = await asyncio.gather(*map(lookup.find, names))
    return tuple(
        DnsAnswer(ObjectMeta(name), tuple(sorted(reply.addresses)))
        if isinstance(reply, Addresses)
        else DnsAnswer(ObjectMeta(name), failure=reply.why)
        for name, reply in zip(names, replies, strict=True)
    )
