"""Which annotations are accepted at all (behaviour reference, part B, section 0.3)."""

from dataclasses import dataclass

from remora.annotations.declare import Risk, global_setting
from remora.annotations.values import comma_list


def risk_level(text: str) -> Risk:
    """Low, Medium, High or Critical; any other word is Low, as in ingress-nginx."""
    return Risk.__members__.get(text.strip().upper(), Risk.LOW)


@dataclass(frozen=True, slots=True)
class Acceptance:
    """What the one who runs the controller lets Ingresses say."""

    highest_risk: Risk = global_setting(  # noqa: RUF009 - a field, as in every group
        "annotations-risk-level",
        risk_level,
        default=Risk.CRITICAL,
        doc="The highest risk of an annotation; one above it closes every route of its Ingress. There the default is High.",
    )
    forbidden_words: tuple[str, ...] = global_setting(
        "annotation-value-word-blocklist",
        comma_list,
        default=(),
        doc="Words, with commas between them; an annotation whose value holds one closes every route of its Ingress.",
        accepts=("load_module,lua_package", "{"),
    )
