"""Objects of older API versions in the words of the version that is kept, as the API server would convert them. Pure.

Total: what has not the shape of its version stays as it is, for the decoder to refuse.
"""

from typing import Any

Object = dict[str, Any]


def to_current(kind: str, version: str, obj: Object) -> Object:
    """The object in the current version of its kind."""
    if kind == "Ingress" and version.endswith("v1beta1"):
        return _ingress(obj)
    if kind == "Secret":
        return _secret(obj)
    return obj


def _ingress(obj: Object) -> Object:
    spec = obj.get("spec")
    if not isinstance(spec, dict):
        return obj
    current = {key: value for key, value in spec.items() if key != "backend"}
    if "backend" in spec:
        current["defaultBackend"] = _backend(spec["backend"])
    if isinstance(spec.get("rules"), list):
        current["rules"] = [_rule(rule) for rule in spec["rules"]]
    return {**obj, "spec": current}


def _rule(rule: Any) -> Any:
    http = rule.get("http") if isinstance(rule, dict) else None
    if not isinstance(http, dict) or not isinstance(http.get("paths"), list):
        return rule
    paths = http["paths"]
    return {**rule, "http": {**http, "paths": [_path(path) for path in paths]}}


def _path(path: Any) -> Any:
    return {**path, "backend": _backend(path["backend"])} if isinstance(path, dict) and "backend" in path else path


def _backend(backend: Any) -> Any:
    if not isinstance(backend, dict) or not {"serviceName", "servicePort"} & set(backend):
        return backend
    rest = {key: value for key, value in backend.items() if key not in ("serviceName", "servicePort")}
    port = backend.get("servicePort")
    service: Object = {"name": backend.get("serviceName", "")}
    if port not in (None, "", 0):
        service["port"] = {"name": port} if isinstance(port, str) else {"number": port}
    return {**rest, "service": service}


def _secret(obj: Object) -> Object:
    """`stringData` goes before `data` (core/v1 Secret)."""
    texts = obj.get("stringData")
    if not isinstance(texts, dict):
        return obj
    data = obj.get("data")
    written = {key: text.encode() if isinstance(text, str) else text for key, text in texts.items()}
    return {**obj, "data": {**(data if isinstance(data, dict) else {}), **written}}
