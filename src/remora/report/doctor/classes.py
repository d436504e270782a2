"""Who serves which Ingress: IngressClasses, the controllers that run, and Ingresses that nobody takes."""

from collections.abc import Iterable, Iterator, Sequence

import msgspec

from remora.core.settings import INGRESS_NGINX_CONTROLLER, REMORA_CLASS, REMORA_CONTROLLER
from remora.kube.objects import Ingress, IngressClass
from remora.report.doctor.finding import Finding, ok, problem, warning
from remora.translate.classes import CLASS_ANNOTATION

_DEFAULT = "ingressclass.kubernetes.io/is-default-class"
_KNOWN = (INGRESS_NGINX_CONTROLLER, REMORA_CONTROLLER)
_SHOWN = 5


class ControllerFacts(msgspec.Struct, frozen=True, kw_only=True):
    """One installation of Remora or ingress-nginx: what it serves by its flags, and how many of its pods run.

    `classes` are values of `spec.controller`, `names` those of the annotation; `by_name` is an IngressClass's name, or "".
    """

    name: str
    classes: frozenset[str]
    names: frozenset[str]
    by_name: str = ""
    without_class: bool = False
    is_shadow: bool = False
    is_remora: bool = True
    pods: int = 0
    running: int = 0
    images: frozenset[str] = frozenset()
    account: str = ""
    namespace: str = ""
    watched: str = ""
    election: str = "ingress-controller-leader"

    def serves(self, one: IngressClass) -> bool:
        """Whether Ingresses of a class are its own."""
        return one.spec.controller in self.classes or one.metadata.name == self.by_name

    def takes(self, ingress: Ingress, classes: dict[str, IngressClass]) -> bool:
        """Whether an Ingress is its own."""
        if self.watched and ingress.metadata.namespace != self.watched:
            return False
        if (name := ingress.spec.ingress_class_name) is not None:
            return name in classes and self.serves(classes[name])
        annotated = ingress.metadata.annotations.get(CLASS_ANNOTATION)
        return self.without_class if annotated is None else annotated in self.names


def names_of(ingress_class: str, *, is_remora: bool) -> frozenset[str]:
    """Values of the annotation that a controller with the flag --ingress-class serves."""
    return frozenset({ingress_class, REMORA_CLASS} if is_remora else {ingress_class})


def judge_controllers(controllers: Sequence[ControllerFacts]) -> Iterator[Finding]:
    """Whether a controller runs, and all replicas of it the same version."""
    if not any(one.is_remora for one in controllers):
        why = "what is checked below about Ingresses holds for the controllers that there are"
        yield warning(
            "controller", "no Remora runs in this cluster", why, "install it: docs/install.md, or `remora up` for a local one"
        )
    for one in controllers:
        what = f"{one.name}: {one.running} of {one.pods} pods run"
        if one.running < one.pods:
            todo = f"`kubectl -n {one.namespace} describe pods` and `remora tail -n {one.namespace} .` tell why"
            yield (problem if not one.running else warning)(
                "controller", what, "the others take its requests, if there are any", todo
            )
        else:
            yield ok("controller", what)
        if len(one.images) > 1:
            why = "replicas of different versions may lead one session to different pods"
            todo = (
                f"let the rollout end (`kubectl -n {one.namespace} rollout status deployment`), or find who runs the older one"
            )
            yield warning("controller", f"{one.name} runs {' and '.join(sorted(one.images))}", why, todo)


def judge_classes(
    classes: Sequence[IngressClass], controllers: Sequence[ControllerFacts], ingresses: Sequence[Ingress]
) -> Iterator[Finding]:
    """Whether every IngressClass has exactly one controller, and not more than one is the default."""
    if not classes:
        why = "an Ingress with spec.ingressClassName is served by nobody"
        yield warning("classes", "there is no IngressClass", why, "`kubectl apply -k deploy/base` makes them")
    defaults = sorted(one.metadata.name for one in classes if one.metadata.annotations.get(_DEFAULT) == "true")
    if len(defaults) > 1:
        why = "which of them an Ingress without a class gets depends on the version of Kubernetes, or it is refused"
        todo = f"keep one: `kubectl annotate ingressclass {defaults[-1]} {_DEFAULT}-`"
        yield problem("classes", f"{' and '.join(defaults)} are all the default", why, todo)
    running = [one for one in controllers if one.running and not one.is_shadow]
    for one in sorted(classes, key=lambda one: one.metadata.name):
        used = [obj for obj in ingresses if _class_of(obj) == one.metadata.name]
        yield _class_finding(one, [controller for controller in running if controller.serves(one)], len(used))


def _class_of(ingress: Ingress) -> str:
    """The class that an Ingress names, in its field or in the annotation of old; "" for none."""
    named = ingress.spec.ingress_class_name
    return named if named is not None else ingress.metadata.annotations.get(CLASS_ANNOTATION, "")


def _class_finding(one: IngressClass, claimants: Sequence[ControllerFacts], used: int) -> Finding:
    name, ingresses = one.metadata.name, f"{used} {'Ingress' if used == 1 else 'Ingresses'}"
    watched = {controller.watched for controller in claimants}
    if len(claimants) > 1 and ("" in watched or len(watched) < len(claimants)):
        why = "both answer for its Ingresses and write their addresses in turn"
        todo = (
            "give one of them another --ingress-class and --controller-class, run the new one with --shadow while you try it, "
            "or move over with `remora migrate switch`"
        )
        who = " and ".join(controller.name for controller in claimants)
        return problem("classes", f"{name} is claimed by {who}", why, todo)
    if claimants:
        return ok("classes", f"{name} is served by {claimants[0].name} ({ingresses})")
    if one.spec.controller not in _KNOWN:
        return ok("classes", f"{name} belongs to {one.spec.controller or 'nobody'}, which is not looked at ({ingresses})")
    why = f"no controller for {one.spec.controller} runs"
    todo = f"start it, or remove what is left of it: `kubectl delete ingressclass {name}`"
    return (problem if used else warning)("classes", f"{name} is served by nobody ({ingresses})", why, todo)


def judge_unclaimed(
    ingresses: Sequence[Ingress], classes: Sequence[IngressClass], controllers: Sequence[ControllerFacts]
) -> Iterator[Finding]:
    """Ingresses without a class that nobody takes, and those of a class that does not exist."""
    known = {one.metadata.name: one for one in classes}
    running = [one for one in controllers if one.running and not one.is_shadow]
    lost = [one for one in ingresses if not any(controller.takes(one, known) for controller in running)]
    classless = [
        one for one in lost if one.spec.ingress_class_name is None and CLASS_ANNOTATION not in one.metadata.annotations
    ]
    missing = [one for one in lost if one.spec.ingress_class_name is not None and one.spec.ingress_class_name not in known]
    annotated = [one for one in lost if one.metadata.annotations.get(CLASS_ANNOTATION, "") not in ("", *known)]
    annotated = [one for one in annotated if one.spec.ingress_class_name is None]
    if classless:
        todo = "set spec.ingressClassName, or start the controller with --watch-ingress-without-class"
        yield warning("ingresses", f"nobody takes {_listed(classless)}", "they name no class", todo)
    if missing:
        names = sorted({one.spec.ingress_class_name or "" for one in missing})
        todo = "make the IngressClass, or name another: `kubectl get ingressclass` lists them"
        yield problem("ingresses", f"nobody takes {_listed(missing)}", f"there is no IngressClass {', '.join(names)}", todo)
    if annotated:
        values = sorted({one.metadata.annotations[CLASS_ANNOTATION] for one in annotated})
        why = f"no controller that is known here serves {CLASS_ANNOTATION}: {', '.join(values)}"
        yield warning("ingresses", f"nobody takes {_listed(annotated)}", why, "name a class in spec.ingressClassName")
    if not (classless or missing or annotated):
        yield ok("ingresses", f"{len(ingresses)} Ingresses, all of a class that there is")


def served(
    ingresses: Iterable[Ingress], classes: Sequence[IngressClass], controllers: Sequence[ControllerFacts]
) -> tuple[Ingress, ...]:
    """The Ingresses that Remora or ingress-nginx serve; all of them, where no controller is known."""
    known = {one.metadata.name: one for one in classes}
    if not controllers:
        return tuple(ingresses)
    return tuple(one for one in ingresses if any(controller.takes(one, known) for controller in controllers))


def _listed(ingresses: Sequence[Ingress]) -> str:
    names = sorted(str(one.key) for one in ingresses)
    return ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")
