"""From objects and annotations to the model, and to Problems: who wins, which reference means what, what is refused.

Translation is made of units: one Ingress, one host, one service port's endpoints, one certificate. A unit is a pure function
of a view of the snapshot, and the view notes what it read; `units` runs again those that read what changed, `assembly` puts
their outcomes in order, `build` is the entry.
"""

from remora.translate.build import Translation, Translator

__all__ = ["Translation", "Translator"]
