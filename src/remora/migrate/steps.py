"""The steps of a switch without downtime, in words and commands."""

from collections.abc import Iterator

from remora.migrate.old import Old
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
    yield "5. **Take over**: Remora writes statuses and Events from now on, and the old controller none. In this order:"
    yield "   first remove the old controller's ValidatingWebhookConfiguration, which would refuse every Ingress once its pods"
    yield f"   are gone; it is the one whose Service is in {place}, usually ingress-nginx-admission:"
    yield f"   `kubectl get validatingwebhookconfiguration ingress-nginx-admission -o yaml > {directory}/old-webhook.yaml`"
    yield "   `kubectl delete validatingwebhookconfiguration ingress-nginx-admission`"
    yield from _stopped(old)
    yield "   Then Remora's own manifests; its pods are replaced one by one, and sessions stay:"
    yield f"   `kubectl apply -f {directory}/remora.yaml && kubectl rollout status -n {place} deployment/remora-controller`"
    yield "6. **Tidy up**, after days: uninstall the old controller but keep its Service, IngressClass and address"
    yield f"   (`kubectl annotate svc/{entry} -n {place} helm.sh/resource-policy=keep`, likewise the IngressClass),"
    yield "   and take `--session-cookie-format=ingress-nginx` out of Remora's flags: the way back for sessions ends there."


def _stopped(old: Old) -> Iterator[str]:
    """How the old controller is kept from writing statuses in turn with Remora."""
    if not old.workload:
        yield "   Then scale the old controller down to 0; with 1 or more, and the webhook after it, it is back."
        return
    kind, _, name = old.workload.partition(" ")
    if kind == "DaemonSet":
        yield "   Then have no node fit the old controller; without that selector, and the webhook after it, it is back:"
        patch = '{"spec":{"template":{"spec":{"nodeSelector":{"remora.io/none":"true"}}}}}'
        yield f"   `kubectl patch -n {old.namespace} daemonset/{name.partition('/')[2]} -p '{patch}'`"
        return
    yield "   Then scale the old controller down; with 1 or more, and the webhook after it, it is back:"
    yield f"   `kubectl scale -n {old.namespace} deployment/{name.partition('/')[2]} --replicas=0`"
