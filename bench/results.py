"""Results as JSON, one file a part: a case (a size, a variant) with every single timing.

Measuring a case again replaces it and leaves the others, so that long ones can be run alone.
"""

from __future__ import annotations

import json
import os
import platform
import shlex
import statistics
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import psutil

FOLDER = Path(__file__).parent / "results"

Case = dict[str, Any]
"""measured_at, command, machine, seconds, facts, memory_mib."""
Seconds = Mapping[str, Sequence[float]]
"""Every timing, by what was timed."""

_PACKAGES = ("dbt-core", "dbt-databricks", "duckdb", "confluent-kafka", "deltalake")


class Unequal(Exception):
    """Contenders that should have computed the same did not: their times do not count."""


def store(
    part: str,
    case: str,
    *,
    seconds: Seconds,
    facts: Mapping[str, Any],
    memory_mib: Mapping[str, int],
) -> None:
    """Write a case and print it."""
    measured: Case = {
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": _command(),
        "machine": machine(),
        "seconds": {name: [round(s, 3) for s in times] for name, times in seconds.items()},
        "facts": dict(facts),
        "memory_mib": dict(memory_mib),
    }
    FOLDER.mkdir(exist_ok=True)
    cases = {**load(part), case: measured}
    path = FOLDER / f"{part}.json"
    path.write_text(json.dumps(dict(sorted(cases.items())), indent=1) + "\n")
    _print(part, case, measured)


def load(part: str) -> dict[str, Case]:
    """The cases of a part by name; none if it was never measured."""
    path = FOLDER / f"{part}.json"
    cases: dict[str, Case] = json.loads(path.read_text()) if path.exists() else {}
    return cases


def median(case: Case, name: str) -> float | None:
    """Median seconds of what was timed, None if it was not."""
    times = case["seconds"].get(name)
    return statistics.median(times) if times else None


def machine() -> dict[str, Any]:
    """What the figures were measured on."""
    from local import workspace

    return {
        "cpu": _cpu_model(),
        "cores": os.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "system": f"{platform.system()} {platform.release()}",
        "versions": {
            "Python": platform.python_version(),
            "Java": _java_version(),
            **workspace.versions(),
            **dict(_package_versions(_PACKAGES)),
        },
    }


def _command() -> str:
    options = os.environ.get("LAKEHOUSE_JAVA_OPTIONS")
    environment = [f"LAKEHOUSE_JAVA_OPTIONS={shlex.quote(options)}"] if options else []
    return " ".join((*environment, "python -m bench", *sys.argv[1:]))


def _package_versions(names: Iterable[str]) -> Iterable[tuple[str, str]]:
    for name in names:
        try:
            yield name, version(name)
        except PackageNotFoundError:
            continue


def _cpu_model() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _java_version() -> str:
    from local.java import find_java

    done = subprocess.run(
        [str(find_java().path), "-version"], capture_output=True, text=True, check=False
    )
    lines = (done.stderr or done.stdout).splitlines()
    return lines[0].split('"')[1] if lines and '"' in lines[0] else "unknown"


def _print(part: str, case: str, measured: Case) -> None:
    print(f"{part} / {case}", flush=True)
    for name, times in measured["seconds"].items():
        if times:
            shown = " ".join(f"{s:.2f}" for s in times)
            print(f"  {name:<28} {statistics.median(times):>9.2f} s  ({shown})", flush=True)
    for name, value in measured["facts"].items():
        print(f"  {name:<28} {value}", flush=True)
    peaks = ", ".join(f"{name} {peak}" for name, peak in measured["memory_mib"].items())
    print(f"  peak memory in MiB: {peaks}", flush=True)
