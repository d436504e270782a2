"""kr8s: pods, deployments, logs, exec, port-forward, waiting and custom resources."""

import asyncio

import httpx
import kr8s.asyncio
from kr8s.asyncio import Api
from kr8s.asyncio.objects import ConfigMap, Deployment, Pod, new_class
from shapes import KUBECONFIG, NAMESPACE, deployment, patience, pod


async def live_with_a_pod(api: Api) -> None:
    made = await Pod(pod("p", app="p"), api=api)
    await made.create()
    await made.wait("condition=Ready", timeout=60)
    await made.label(tier="front")
    await made.annotate({"note": "made"})
    found = [one async for one in api.get("pods", namespace=NAMESPACE, label_selector={"tier": "front"})]
    assert [one.name for one in found] == ["p"], found
    assert [line async for line in made.logs()] == ["listening"]
    said = await made.exec(["sh", "-c", "echo $POD_NAME"])
    assert said.stdout == b"p\n", said
    assert await ask_through_a_port(made) == "p"
    await made.delete()
    await made.wait("delete", timeout=60)


async def ask_through_a_port(made: Pod) -> str:
    for _ in range(5):
        try:
            async with made.portforward(remote_port=8080, local_port="auto") as port, httpx.AsyncClient() as http:
                return (await http.get(f"http://127.0.0.1:{port}/")).text
        except OSError:  # somebody was quicker with the port that it chose
            continue
    raise AssertionError("no port")


async def scale_a_deployment(api: Api) -> None:
    made = await Deployment(deployment("web"), api=api)
    await made.create()
    await made.scale(2)
    async with patience():
        while not await made.ready() or len(await made.pods()) != 2:
            await asyncio.sleep(0.1)
    await made.delete(propagation_policy="Foreground")


async def use_a_custom_resource(api: Api) -> None:
    widget = new_class("Widget.example.com/v1", asyncio=True)
    one = await widget({"metadata": {"name": "one", "namespace": NAMESPACE}, "spec": {"size": 3}}, api=api)
    await one.create()
    await one.patch({"status": {"ready": True}}, subresource="status")
    await one.refresh()
    assert one.status.ready is True
    assert one.spec.size == 3
    assert not await (await ConfigMap({"metadata": {"name": "none", "namespace": NAMESPACE}}, api=api)).exists()


async def main() -> None:
    api = await kr8s.asyncio.api(kubeconfig=KUBECONFIG, namespace=NAMESPACE)
    assert [version async for version in api.api_versions()]
    await asyncio.gather(live_with_a_pod(api), scale_a_deployment(api), use_a_custom_resource(api))


asyncio.run(main())
