"""Programs of others that the checks ask, each in an environment of its own, since they pin what
dbt needs in other versions, or bring what has no place in ours.

`python -m deploy.checks.tools` makes them all (`make test-setup` does); else whoever asks first.
They need Linux on x86-64.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

_FOLDER = Path(__file__).parent
TOOLS = ("checkov", "dotnet", "terraform")
# .NET Core 3.1 knows OpenSSL 1.1 alone, which distributions no longer have. This wheel carries it,
# for a Python of its own; the two libraries are all that is taken from it.
_OPENSSL = ("psycopg2-binary==2.9.3", "3.10")


def program(tool: str, name: str = "python") -> Path:
    """A program of a tool's environment, made once for each set of pins, in the user's cache."""
    requirements = _FOLDER / f"{tool}.txt"
    pins = hashlib.sha256(requirements.read_bytes() + str(_OPENSSL).encode()).hexdigest()[:12]
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    home = cache / "fitbit-lakehouse" / f"{tool}-{pins}-py{version}"
    if not (home / "complete").exists():
        shutil.rmtree(home, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", home], check=True)
        _install(home, "-r", str(requirements))
        if tool == "dotnet":
            package, python = _OPENSSL
            target = home / "openssl"
            wanted = ("--python-version", python, "--only-binary=:all:")
            _install(home, "--target", str(target), *wanted, package)
            for library in ("libssl", "libcrypto"):
                (found,) = target.glob(f"psycopg2_binary.libs/{library}-*.so.1.1*")
                found.with_name(f"{library}.so.1.1").symlink_to(found.name)
        (home / "complete").touch()
    return home / "bin" / name


def _install(home: Path, *arguments: str) -> None:
    python = str(home / "bin/python")
    uv = Path(sys.executable).with_name("uv")
    install = (
        [str(uv), "pip", "install", "--quiet", "--python", python]
        if uv.exists()
        else [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    )
    subprocess.run([*install, "--no-deps", *arguments], check=True)


if __name__ == "__main__":
    for each in TOOLS:
        program(each)
