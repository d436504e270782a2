"""The reference page of the controller's flags, made from the table of flags."""

from collections.abc import Sequence

from remora.cli.flags import Flag, shown

_HEADER = """\
# Flags of the controller

What `remora controller` can be given: the names are those of ingress-nginx wherever the meaning is the same. (Made from the
table in `src/remora/cli/controller_flags.py`; `make docs` makes it anew.)

- `--flag=value` and `--flag value` are the same, `-flag` too; a flag that is on or off needs no value.
- A flag that nobody knows, or a value that cannot be, ends the start with a message; so does a pair that excludes each other.
- What the [ConfigMap](configmap.md) says too is decided by the flag, if it was given.

| flag | default | meaning |
| --- | --- | --- |
"""
_SILENT = """
## Accepted without effect

Manifests of ingress-nginx have them, and nothing is lost: each is named in the log when it was given.

"""


def render_flags_page(flags: Sequence[Flag]) -> str:
    """The page, in Markdown."""
    rows = [f"| `--{flag.name}` | {_default(flag)} | {flag.help.replace('|', '&#124;')} |" for flag in flags if flag.effect]
    silent = ", ".join(f"`--{flag.name}`" for flag in flags if not flag.effect)
    return _HEADER + "\n".join(rows) + "\n" + _SILENT + silent + ".\n"


def _default(flag: Flag) -> str:
    text = "" if flag.default is None else shown(flag.default)
    return f"`{text}`" if text else ""
