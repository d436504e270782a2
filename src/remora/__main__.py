"""The entry of `remora` and `python -m remora`.

It imports nothing before it can take Ctrl-C for what it is: the imports of the commands are most of a start.
"""

import sys


def main() -> None:
    """Runs the command. Ctrl-C ends it with the status of a process that SIGINT ended, and without a traceback."""
    try:
        from remora.cli.main import main as run

        run()
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
