"""The Common Expression Language, as far as rules of CustomResourceDefinitions use it: text to a function of variables. Pure.

Written here because the packages that exist either take 30 ms for one rule of the Gateway API on four listeners (cel-python,
after 9 ms for reading it) or lack the functions that Kubernetes adds. Values are those of JSON, with `datetime` and `timedelta`
for times; what CEL calls an error is a `CelError`.
"""

from remora.cluster.cel.compiler import Program, compile_expression
from remora.cluster.cel.values import CelError, Optional

__all__ = ["CelError", "Optional", "Program", "compile_expression"]
