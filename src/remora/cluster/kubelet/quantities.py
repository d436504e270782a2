"""Kubernetes' quantities, and what a pod asks of a node in them. Pure."""

from collections.abc import Mapping
from decimal import ROUND_CEILING, Decimal, InvalidOperation
from typing import Any

_SUFFIXES = {
    **{suffix: Decimal(1024) ** power for power, suffix in enumerate(("Ki", "Mi", "Gi", "Ti", "Pi", "Ei"), start=1)},
    **{suffix: Decimal(1000) ** power for power, suffix in enumerate(("k", "M", "G", "T", "P", "E"), start=1)},
    "n": Decimal("1e-9"),
    "u": Decimal("1e-6"),
    "m": Decimal("1e-3"),
}


def quantity(given: object) -> Decimal:
    """`100m`, `1Gi`, `1e3`, 2 as a number; 0 for what is none, which validation does not let through."""
    text = str(given)
    suffix = next((found for found in _SUFFIXES if text.endswith(found)), "")
    try:
        return Decimal(text.removesuffix(suffix)) * _SUFFIXES.get(suffix, Decimal(1))
    except InvalidOperation:
        return Decimal(0)


def in_units(number: Decimal, divisor: object = None) -> str:
    """How often the divisor (1 if it is 0 or absent) fits, rounded up, as the downward API tells resources."""
    by = quantity(divisor) if divisor else Decimal(0)
    return str((number / (by or Decimal(1))).to_integral_value(rounding=ROUND_CEILING))


def requested(spec: Mapping[str, Any]) -> dict[str, Decimal]:
    """What the scheduler sets aside for a pod: its containers and sidecars together, or the largest init container."""
    running: dict[str, Decimal] = {}
    largest: dict[str, Decimal] = {}
    for container in spec.get("initContainers") or ():
        needs = _requests(container)
        if container.get("restartPolicy") == "Always":
            running = _sum(running, needs)
            needs = running
        else:
            needs = _sum(needs, running)
        largest = {name: max(largest.get(name, Decimal(0)), number) for name, number in {**largest, **needs}.items()}
    for container in spec.get("containers") or ():
        running = _sum(running, _requests(container))
    total = {name: max(running.get(name, Decimal(0)), largest.get(name, Decimal(0))) for name in {**running, **largest}}
    total |= _requests(spec)
    return _sum(total, {name: quantity(number) for name, number in (spec.get("overhead") or {}).items()})


def _requests(part: Mapping[str, Any]) -> dict[str, Decimal]:
    resources = part.get("resources") or {}
    return {
        name: quantity(given)
        for name, given in {**(resources.get("limits") or {}), **(resources.get("requests") or {})}.items()
    }


def _sum(left: Mapping[str, Decimal], right: Mapping[str, Decimal]) -> dict[str, Decimal]:
    return {name: left.get(name, Decimal(0)) + right.get(name, Decimal(0)) for name in {**left, **right}}
