"""Finding Java, and fetching jars once: with programs that stand in for Java."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

from lakehouse import jars
from lakehouse.home import CHECKOUT, WorkspaceError
from lakehouse.java import Java, find_java


def fake_java(folder: Path, script: str) -> Path:
    path = folder / "bin" / "java"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


def says_version(version: str) -> str:
    return f"echo 'openjdk version \"{version}\" 2025-04-15' >&2"


@pytest.mark.parametrize(("text", "version"), [("17.0.15", 17), ("21", 21), ("21-ea", 21)])
def test_accepted_versions(tmp_path: Path, text: str, version: int) -> None:
    path = fake_java(tmp_path, says_version(text))
    assert find_java({"JAVA_HOME": str(tmp_path), "PATH": ""}) == Java(path, version)


def test_java_home_comes_before_path_if_it_is_good(tmp_path: Path) -> None:
    old = fake_java(tmp_path / "old", says_version("1.8.0_402"))
    good = fake_java(tmp_path / "good", says_version("21.0.1"))
    both = {"JAVA_HOME": str(tmp_path / "old"), "PATH": str(good.parent)}
    assert find_java(both) == Java(good, 21)
    with pytest.raises(WorkspaceError, match=rf"{old} is version 8\): install Java 17 or 21"):
        find_java({"JAVA_HOME": str(tmp_path / "old"), "PATH": str(tmp_path)})


def test_no_java_is_one_sentence_with_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(WorkspaceError, match="Java was not found: install Java 17 or 21"):
        find_java({"PATH": str(tmp_path)})
    fake_java(tmp_path, "exit 1")
    with pytest.raises(WorkspaceError, match="no working Java"):
        find_java({"PATH": str(tmp_path / "bin")})


def test_up_without_java(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "lakehouse.cli", "up"],
        cwd=CHECKOUT,
        env={"PATH": str(tmp_path), "LAKEHOUSE_HOME": str(tmp_path / "home")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("lakehouse: Java was not found: install Java 17 or 21")
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "home").exists()


# Writes one jar into each folder that the retrieve pattern names, and notes that it was called.
FETCHES = """
echo called >> "$CALLS"
while [ "$1" != -retrieve ]; do shift; done
folder="${2%/*/*}"
mkdir -p "$folder/spark" "$folder/kafka"
sleep 0.3
echo jar > "$folder/spark/a.jar"
echo jars > "$folder/kafka/b.jar"
"""


@pytest.fixture
def two_jars(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A lock of what FETCHES delivers."""
    lock = tmp_path / "jars.lock"
    files = (("kafka/b.jar", b"jars\n"), ("spark/a.jar", b"jar\n"))
    lock.write_text("".join(f"{hashlib.sha256(c).hexdigest()}  {n}\n" for n, c in files))
    monkeypatch.setattr(jars, "LOCK", lock)
    monkeypatch.setenv("LAKEHOUSE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("CALLS", str(tmp_path / "calls"))
    return lock


def test_the_lock_has_a_jar_of_each_module() -> None:
    names = set(jars.locked())
    for part, modules in (("spark", jars.SPARK_MODULES), ("kafka", jars.KAFKA_MODULES)):
        assert {f"{part}/{name}-{revision}.jar" for _, name, revision in modules} <= names
    assert {name for name in names if name.startswith("spark/")} == {
        f"spark/{name}-{revision}.jar" for _, name, revision in jars.SPARK_MODULES
    }
    for name, digest in jars.locked().items():
        content = (jars.resolve().spark.parent / name).read_bytes()
        assert hashlib.sha256(content).hexdigest() == digest


@pytest.mark.parametrize(
    ("old", "new"), [("jar >", "jam >"), ("a.jar", "c.jar"), ("echo jar >", "true ")]
)
def test_other_jars_than_those_of_the_lock_are_refused(
    two_jars: Path, tmp_path: Path, old: str, new: str
) -> None:
    java = Java(fake_java(tmp_path, FETCHES.replace(old, new)), 17)
    with pytest.raises(WorkspaceError, match=r"spark/a\.jar.*is not what jars\.lock says"):
        jars.resolve(java)
    assert [p.name for p in (tmp_path / "cache").iterdir() if p.is_dir()] == []


def test_the_lock_is_written_from_what_is_delivered(two_jars: Path, tmp_path: Path) -> None:
    before = two_jars.read_text()
    two_jars.write_text("")
    jars.lock(Java(fake_java(tmp_path, FETCHES), 17))
    assert two_jars.read_text() == before


def test_jars_are_fetched_once_also_by_two_processes_at_once(
    two_jars: Path, tmp_path: Path
) -> None:
    java = fake_java(tmp_path, FETCHES)
    code = (
        "from pathlib import Path; from lakehouse import jars; from lakehouse.java import Java;"
        f"jars.LOCK = Path({str(two_jars)!r});"
        f"print(*[p.name for p in jars.resolve(Java(Path({str(java)!r}), 17)).spark_jars()])"
    )
    both = [
        subprocess.Popen(
            [sys.executable, "-c", code],
            cwd=CHECKOUT,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    assert [process.communicate()[0].strip() for process in both] == ["a.jar", "a.jar"]
    assert (tmp_path / "calls").read_text() == "called\n"


def test_a_damaged_cache_is_fetched_again(two_jars: Path, tmp_path: Path) -> None:
    java = Java(fake_java(tmp_path, FETCHES), 17)
    found = jars.resolve(java)
    jar = found.kafka_jars()[0]
    jar.write_text("")
    assert jars.resolve(java) == found
    assert jar.read_text() == "jars\n"
    marker = jars.cache_folder() / "complete.json"
    assert json.loads(marker.read_text()) == {"kafka/b.jar": 5, "spark/a.jar": 4}


def test_a_failed_fetch_leaves_nothing_and_names_the_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    java = Java(fake_java(tmp_path, "echo unknown host; exit 1"), 17)
    cache = tmp_path / "cache"
    monkeypatch.setenv("LAKEHOUSE_CACHE", str(cache))
    with pytest.raises(WorkspaceError, match=r"could not be fetched .*LAKEHOUSE_IVY_SETTINGS"):
        jars.resolve(java)
    assert "unknown host" in (cache / "fetch.log").read_text()
    assert [p.name for p in cache.iterdir() if p.is_dir()] == []


def test_a_mirror_and_a_proxy_reach_ivy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    java = Java(fake_java(tmp_path, f'echo "$@" > {tmp_path}/arguments; exit 1'), 17)
    monkeypatch.setenv("LAKEHOUSE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("LAKEHOUSE_IVY_SETTINGS", "/etc/mirror.xml")
    monkeypatch.setenv("https_proxy", "http://proxy.example:3128")
    with pytest.raises(WorkspaceError):
        jars.resolve(java)
    arguments = (tmp_path / "arguments").read_text()
    assert "-settings /etc/mirror.xml" in arguments
    assert "-Dhttps.proxyHost=proxy.example -Dhttps.proxyPort=3128" in arguments
