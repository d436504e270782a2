"""The steps of a switch without downtime, in words and commands."""

from collections.abc import Iterator

from remora.migrate.plan import Plan


def steps(plan: Plan, directory: str) -> Iterator[str]:
    """The page, line by line. `directory` is where the plan's files are."""
    old = plan.old
    place = old.namespace
    service = str(old.service or f"{place}/NAME")
    entry = service.partition("/")[2]
    result = f"{directory}/comparison.json"
    yield "# From ingress-nginx to Remora without downtime"
    yield ""
    yield "Each step can be undone by the one before it; up to step 4 no client notices anything."
    yield ""
    yield "1. **A key for session cookies**, the same for the shadow and for what comes after it:"
    yield f"   `kubectl create secret generic remora-session-key -n {place} --from-literal=key=$(openssl rand -hex 32)`"
    yield "2. **Shadow**: Remora beside the old controller. It reads, and writes nothing: no status, no Event, no class."
    yield f"   `kubectl apply -f {directory}/shadow.yaml && kubectl rollout status -n {place} deployment/remora-controller`"
    yield "3. **Compare**: the requests of all rules to both, and sessions from one to the other and back."
    yield f"   `kubectl port-forward -n {place} svc/remora-controller 8081:80 &`"
    yield f"   `kubectl port-forward -n {place} svc/{entry} 8080:80 &`"
    yield f"   `remora migrate compare --cluster --old 127.0.0.1:8080 --new 127.0.0.1:8081 -o json > {result}`"
    yield "4. **Switch**: the entry Service leads to Remora's pods; its address, and the load balancer behind it, stay."
    yield f"   `remora migrate switch --service {service} --comparison {result} --dry-run`, then without"
    yield "   `--dry-run`. It watches, and goes back by itself if errors rise or sessions break. By hand: `--back`."
    yield "   Connections that are open stay with the old controller until they end; both honour the same cookies."
    yield "5. **Take over**: Remora writes statuses and Events from now on. The pods are replaced one by one; sessions stay."
    yield f"   `kubectl apply -f {directory}/remora.yaml && kubectl rollout status -n {place} deployment/remora-controller`"
    if old.workload:
        kind, _, name = old.workload.partition(" ")
        yield "   Before it, have the old controller write none: "
        workload = f"{kind.lower()}/{name.partition('/')[2]}"
        yield f"   `kubectl scale -n {place} {workload} --replicas=0`, and with 1 or more it is back."
    else:
        yield "   Before it, scale the old controller down, so that the two do not write statuses in turn."
    yield "6. **Tidy up**, after days: uninstall the old controller but keep its Service, IngressClass and address"
    yield f"   (`kubectl annotate svc/{entry} -n {place} helm.sh/resource-policy=keep`, likewise the IngressClass),"
    yield "   remove its ValidatingWebhookConfiguration, which would refuse every Ingress once its pods are gone,"
    yield "   and take `--session-cookie-format=ingress-nginx` out of Remora's flags: the way back for sessions ends there."
