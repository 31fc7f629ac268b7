"""How every command line of the course ends: what the user got wrong is one line."""

from __future__ import annotations

import sys

import typer

from .data.download import DataError


def run(commands: typer.Typer) -> None:
    """Run a command line; whatever the user got wrong is one line and exit status 2."""
    try:
        sys.exit(commands(standalone_mode=False))
    except typer.TyperException as error:
        wrong = str(getattr(error, "format_message", error.__str__)())
    except (ValueError, DataError) as error:
        wrong = str(error)
    except OSError as error:  # a full disk, a folder that cannot be read
        wrong = f"{error.strerror or error}" + (f": {error.filename}" if error.filename else "")
    except (typer.Abort, KeyboardInterrupt):
        sys.exit(130)
    sys.stdout.flush()
    print(f"error: {wrong}", file=sys.stderr)
    sys.exit(2)
