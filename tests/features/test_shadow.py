"""`remora controller --shadow` asks for nothing that the shadow's manifests do not grant, and writes nothing."""

import pytest

from remora.cli.migrate_input import own_manifests
from remora.migrate.manifests import Carried, manifests
from remora.migrate.old import Old
from tests.features.test_controller_end_to_end import STICKY, Bench, _ingress, answers, bench
from tests.support.rights import granted

__all__ = ["bench"]

_WRITES = ("create", "update", "patch", "delete")


async def test_a_shadow_serves_with_rights_to_read_alone(bench: Bench) -> None:
    shadow = manifests(own_manifests(), Old(namespace="ingress-remora"), Carried(), is_shadow=True)
    may = granted(shadow)
    asked: list[str] = []

    def ask(access: object) -> bool:
        asked.append(getattr(access, "verb", ""))
        return may(access)  # type: ignore[arg-type]

    bench.api.may = ask
    bench.api.put(
        "secrets", {"metadata": {"name": "remora-session-key", "namespace": "ingress-remora"}, "data": {"key": "a" * 44}}
    )
    await bench.set_pods("a", "b")
    bench.api.put("ingresses", _ingress("web", "web.test", annotations=STICKY))
    bench.api.put("ingresses", _ingress("lost", "lost.test", service="missing"))
    async with bench.controller("--shadow") as controller:
        await answers(controller, "web.test")
        _, headers, _ = await controller.client.get("web.test")
        assert headers["set-cookie"].startswith("stick=")
        await answers(controller, "lost.test", 503)
    assert not set(asked) & set(_WRITES)
    assert bench.api.patches == []
    assert not bench.api.objects["events"]
    assert not bench.api.objects["leases"]


@pytest.mark.parametrize("plural", ["events", "leases"])
def test_the_shadow_is_granted_nothing_that_a_controller_writes(plural: str) -> None:
    shadow = manifests(own_manifests(), Old(), Carried(), is_shadow=True)
    assert not any(plural in rule["resources"] for one in shadow for rule in one.get("rules", ()))
