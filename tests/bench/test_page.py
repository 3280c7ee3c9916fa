"""The page on performance: every goal is on it, met, missed or not measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from bench import page, results


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Results and the page are in a folder of the test's own."""
    (tmp_path / "images").mkdir()
    monkeypatch.setattr(results, "FOLDER", tmp_path / "results")
    monkeypatch.setattr(page, "CHECKOUT", tmp_path)
    monkeypatch.setattr(page, "PAGE", tmp_path / "performance.md")
    monkeypatch.setattr(page, "_IMAGES", tmp_path / "images")
    return tmp_path


def _store(part: str, case: str, seconds: Mapping[str, Sequence[float]], **facts: object) -> None:
    memory = dict.fromkeys(("spark", "endpoint", "kafka", "dbt"), 2048)
    results.store(part, case, seconds=seconds, facts=facts, memory_mib=memory)


def _goal(*starts: str) -> list[str]:
    """Cells of the goal's only row that has these words in turn."""
    rows = [line.strip("| ").split(" | ") for line in page.goals().splitlines()[2:]]
    (found,) = (row for row in rows if all(word in " ".join(row) for word in starts))
    return found


def test_what_was_never_measured_says_so(folder: Path) -> None:
    page.write()
    verdicts = {line.split(" | ")[-1] for line in page.goals().splitlines()[2:]}
    assert verdicts == {"not measured |"}
    sections = (folder / "performance.md").read_text().split("## ")
    unmeasured = {text.partition("\n")[0] for text in sections if "Not measured yet." in text}
    assert {"A full build", "Kafka to bronze", "Produced to bronze to gold"} < unmeasured


def test_a_full_build_has_a_verdict_at_each_size() -> None:
    _store("build", "250000", {"project": [60.0, 80.0, 70.0], "batch": [50.0, 10.0, 35.0]})
    _store("build", "2500000", {"project": [120.0], "tutorials": [360.0], "batch": [80.0]})
    assert _goal("batch script", "250,000")[2:] == ["2.00×", "250,000 readings", "**missed**"]
    assert _goal("batch script", "2,500,000")[2:] == ["1.50×", "2,500,000 readings", "met"]
    assert _goal("batch script", "25,000,000")[-1] == "not measured"
    assert _goal("tutorials", "2,500,000")[2] == "3.00×"
    assert _goal("tutorials", "2,500,000")[-1] == "met"
    assert _goal("tutorials", " 250,000")[-1] == "not measured"


def test_memory_is_that_of_all_processes() -> None:
    _store("build", "25000000", {"project": [400.0]})
    assert _goal("peak memory")[2:] == ["8.0 GiB", "25,000,000 readings", "met"]


def test_landing_takes_the_largest_case_that_has_both_contenders() -> None:
    _store(
        "landing",
        "250000",
        {"project": [4.0], "query": [1.0], "bare_spark": [0.8]},
        records=250_000,
    )
    _store("landing", "2000000", {"project": [8.0], "bare_spark": [4.0]}, records=2_000_000)
    assert _goal("query against")[2:] == ["0.80×", "250,000 records", "met"]
    assert _goal("the whole command")[2:] == ["0.50×", "2,000,000 records", "**missed**"]
    assert _goal("records a second")[2:4] == ["250,000", "2,000,000 records"]


def test_reads_are_judged_by_the_worst_history() -> None:
    reads = {
        f"{variant}_{factor}x": [{"files": files, "input_bytes": files * 10}]
        for variant in ("on_time", "late")
        for factor, files in ((1, 100), (10, 130 if variant == "late" else 90), (100, 110))
    }
    _store(
        *("incremental", "25000", {}),
        base_readings=25_000,
        factors=[1, 10, 100],
        ratio_on_time=1.0,
        ratio_late=1.3,
        reads=reads,
    )
    rows = [line.split(" | ")[2:] for line in page.goals().splitlines() if "files read" in line]
    assert rows == [["1.10×", "the worst of 10×, 100×", "met |"]]
    assert page.goals().count("1.30×") == 3


def test_a_larger_heap_is_part_of_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAKEHOUSE_JAVA_OPTIONS", "-Xmx6g -Da=b")
    _store("build", "1", {"project": [1.0]})
    command = results.load("build")["1"]["command"]
    assert command.startswith("LAKEHOUSE_JAVA_OPTIONS='-Xmx6g -Da=b' python -m bench")
