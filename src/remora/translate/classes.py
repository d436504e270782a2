"""Which Ingresses are ours (behaviour reference, part A, section 11).

`spec.ingressClassName` counts alone where it is set; then the annotation `kubernetes.io/ingress.class`, which never takes a
prefix of ours. Beside ingress-nginx's class we serve one of our own.
"""

from remora.core.names import NamespacedName
from remora.core.problem import Problem, Severity
from remora.core.settings import REMORA_CLASS, REMORA_CONTROLLER, RoutingSettings
from remora.kube.objects import Ingress, IngressClass
from remora.translate.view import View

CLASS_ANNOTATION = "kubernetes.io/ingress.class"


def is_ours(view: View, ingress: Ingress) -> bool:
    """Whether the Ingress is of a class that we serve."""
    class_name = ingress.spec.ingress_class_name
    if class_name is not None:
        ingress_class = view.find(IngressClass, NamespacedName("", class_name))
        return ingress_class is not None and _is_our_class(ingress_class, view.settings)
    annotated = ingress.metadata.annotations.get(CLASS_ANNOTATION)
    if annotated is not None:
        return annotated in _our_names(view.settings)
    return view.settings.watch_ingress_without_class


def missing_class(view: View, ingress: Ingress) -> Problem | None:
    """The Problem of an Ingress that is not ours and names a class in its field that does not exist, so that nobody serves it.

    The annotation needs no IngressClass: what it names may be another controller's.
    """
    class_name = ingress.spec.ingress_class_name
    if class_name is None or view.find(IngressClass, NamespacedName("", class_name)):
        return None
    message = f"there is no IngressClass {class_name}"
    return Problem(ingress.ref, "spec.ingressClassName", "ClassMissing", message, "the Ingress is not served", Severity.ERROR)


def _is_our_class(ingress_class: IngressClass, settings: RoutingSettings) -> bool:
    if ingress_class.spec.controller in (settings.controller_class, REMORA_CONTROLLER):
        return True
    return settings.ingress_class_by_name and ingress_class.metadata.name == settings.ingress_class


def _our_names(settings: RoutingSettings) -> tuple[str, str]:
    return settings.ingress_class, REMORA_CLASS
