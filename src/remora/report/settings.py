"""What becomes of every key of the controller's ConfigMap: its part of `remora check`. Pure."""

from collections.abc import Iterator

from remora.annotations.declare import Support
from remora.annotations.registry import find_nearest_setting, find_setting, parse_defaults
from remora.core.names import NamespacedName
from remora.kube.objects import ConfigMap
from remora.report.findings import BY_SUPPORT, Finding, Verdict
from remora.report.manifests import Manifest
from remora.translate.snippets import with_snippets


def is_controllers(config_map: ConfigMap, named: NamespacedName | None) -> bool:
    """Whether it is the controller's: the one that is named, or without a name one whose keys are mostly of ingress-nginx."""
    if named is not None:
        return config_map.key == named
    keys = tuple(config_map.data or ())
    known = sum(1 for key in keys if find_setting(key))
    return known > 0 and 2 * known > len(keys)


def check_settings(manifest: Manifest, config_map: ConfigMap) -> Iterator[Finding]:
    """The findings, key by key."""
    for key, text in (config_map.data or {}).items():
        field = f"data[{key}]"
        alone = with_snippets(parse_defaults({key: text}, object=config_map.ref), config_map.ref)
        reason = "; ".join(f"{problem.message}; {problem.consequence}" for problem in alone.problems)
        verdict = _verdict(key, text, has_problems=any(one.code != "SnippetDirectiveSkipped" for one in alone.problems))
        row = find_setting(key)
        if row is not None and not text.strip():
            reason = "an empty text says nothing"
        elif row is not None and not alone.problems:
            reason = "it asks for nothing" if row.support is Support.REFUSED else row.differs
        elif row is None:
            nearest = find_nearest_setting(key)
            reason = f"did you mean {nearest}?" if nearest else "no key of that name is known"
        place = manifest.place_of(field)
        yield Finding(place, config_map.ref, key, verdict, text, reason, closes=bool(alone.guards))


def _verdict(key: str, text: str, *, has_problems: bool) -> Verdict:
    row = find_setting(key)
    if row is None:
        return Verdict.UNKNOWN
    if not text.strip():
        return Verdict.WITHOUT_EFFECT
    if has_problems:
        return Verdict.REFUSED
    return Verdict.HONOURED if row.support is Support.REFUSED else BY_SUPPORT[row.support]
