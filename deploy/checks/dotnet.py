"""Asks Microsoft's parser of T-SQL and Data Factory's expression engine, by dotnet_host.py."""

from __future__ import annotations

import atexit
import json
import os
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

from deploy.checks import tools


def parse(text: str) -> dict[str, Any]:
    """`faults` of a T-SQL script, sentences; `statements`, with names, columns and parameters."""
    return _ask("sql", text)


def evaluate(
    document: dict[str, Any], parameters: dict[str, str], outputs: dict[str, Any]
) -> dict[str, Any]:
    """A pipeline's activities in the order in which they run (`seen`: name, type, properties).

    `outputs` are what activities answer, by name. `refused` is there where the engine gave up.
    """
    return _ask("pipeline", {"document": document, "parameters": parameters, "outputs": outputs})


def _ask(kind: str, question: Any) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(_answer(json.dumps([kind, question])))
    return answer


@cache
def _answer(question: str) -> str:
    host = _host()
    assert host.stdin is not None
    assert host.stdout is not None
    host.stdin.write(question + "\n")
    host.stdin.flush()
    return host.stdout.readline()


@cache
def _host() -> subprocess.Popen[str]:
    """Starting .NET takes seconds: once a process."""
    python = tools.program("dotnet")
    host = subprocess.Popen(
        [python, Path(__file__).with_name("dotnet_host.py")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={
            "PATH": os.environ["PATH"],
            "LD_LIBRARY_PATH": str(python.parents[1] / "openssl/psycopg2_binary.libs"),
        },
    )
    assert host.stdin is not None
    atexit.register(host.stdin.close)  # its loop ends
    return host
