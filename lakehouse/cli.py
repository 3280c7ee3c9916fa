"""`lakehouse`: the commands that run the lakehouse on a laptop.

Each module in `lakehouse/commands` is one command, with `register(subparsers)` and
`run(args) -> int`. Modules import what is slow inside `run`, so that `--help` is quick.
"""

from __future__ import annotations

import argparse
import importlib
import os
import pkgutil
import sys
from collections.abc import Sequence

import lakehouse.commands
from lakehouse.home import WorkspaceError
from lakehouse.visible import visible


def build_parser(only: str | None = None) -> argparse.ArgumentParser:
    """The parser with all commands, or with that one if there is such a command."""
    parser = argparse.ArgumentParser(
        prog="lakehouse",
        description="The Fitbit lakehouse on a laptop: Kafka, Spark with Delta, and a SQL "
        "endpoint, in the folder that LAKEHOUSE_HOME names.",
    )
    subparsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    found = (module.name for module in pkgutil.iter_modules(lakehouse.commands.__path__))
    names = sorted(name for name in found if not name.startswith("_"))
    for name in [only] if only in names else names:
        importlib.import_module(f"lakehouse.commands.{name}").register(subparsers)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code. A fault the user can mend is one line on stderr."""
    os.umask(0o077)  # whatever a command writes may hold personal data
    arguments = sys.argv[1:] if argv is None else list(argv)
    # The module of the command that is asked for, and no other, is imported: `up` and `sql` are
    # called often.
    args = build_parser(arguments[0] if arguments else None).parse_args(arguments)
    try:
        code: int = args.run(args)
        sys.stdout.flush()
        return code
    except WorkspaceError as error:
        print(visible(f"lakehouse: {error}", keep="\n"), file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("lakehouse: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # The reader, `head` say, has had enough; keep the interpreter from saying so at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141


if __name__ == "__main__":
    sys.exit(main())
