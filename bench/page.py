"""Writes docs/performance.md and its plots from bench/results."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from string import Template
from typing import Any

from bench import charts, landing
from bench.build import CONTENDERS
from bench.charts import Bar
from bench.results import Case, load, median
from local.home import CHECKOUT

PAGE = CHECKOUT / "docs" / "performance.md"
_IMAGES = CHECKOUT / "docs" / "images"
_TEMPLATE = Path(__file__).with_name("performance.template.md")
_UNMEASURED = "Not measured yet."
_PER_SECOND = 200_000
"""Readings of a million wearers, one each five seconds."""
_PER_DAY = _PER_SECOND * 86_400
_BUILDS_A_DAY = 48
"""Of the job in deploy/bundle."""
_SIZES = (250_000, 2_500_000, 25_000_000)
"""Readings of full builds that have goals."""


def write() -> None:
    """Write the page; parts that were never measured say so."""
    sections = {
        "goals": goals(),
        "build": _build(),
        "streams": _streams(),
        "incremental": _incremental(),
        "nothing_new": _nothing_new(),
        "nodes": _nodes(),
        "edit_loop": _edit_loop(),
        "landing": _landing(),
        "latency": _latency(),
        "past": _past_one_machine(),
    }
    PAGE.write_text(Template(_TEMPLATE.read_text()).substitute(sections))
    print(f"wrote {PAGE.relative_to(CHECKOUT)}")


def goals() -> str:
    """Each goal with what was measured: full builds at each size, the rest at the largest."""
    rows = [
        *_build_goals("full build against the tutorials' design", "tutorials", faster=3.0),
        *_build_goals("full build against one batch script", "batch", slower=1.5),
        *_build_goals("full build against DuckDB", "duckdb", slower=10.0, sizes=_SIZES[-1:]),
        ("full build, peak memory of its processes together", *_memory_goal(25_000_000, 12)),
        ("new hour on 100 times the history", *_incremental_goal("on_time")),
        ("the same, 1 % of it a month late", *_incremental_goal("late")),
        ("new hour, bytes read", *_read_goal("on_time", "input_bytes")),
        ("the same, 1 % of it a month late", *_read_goal("late", "input_bytes")),
        ("new hour, files read", *_read_goal("on_time", "files")),
        ("the same, 1 % of it a month late", *_read_goal("late", "files")),
        ("build with nothing new", *_nothing_new_goal()),
        ("landing, query against bare Spark's", *_landing_goal("query", "bare_spark", 0.7)),
        ("the same, the whole command", *_landing_goal("project", "bare_spark", 0.7)),
        ("landing against a hand-written consumer", *_landing_goal("project", "hand_written", 3.0)),
        ("landing, records a second", *_landing_rate_goal(15_000)),
        ("produced to bronze, P50", *_latency_goal("5000 alone", "p50", 3)),
        ("produced to bronze, P95", *_latency_goal("5000 alone", "p95", 10)),
        ("the same beside builds, P95", *_latency_goal("5000", "p95", 30)),
    ]
    return _table(("what", "goal", "measured", "size", ""), rows)


_Goal = tuple[str, str, str, str]
"""Goal, measured, size, met or missed."""


def _verdict(is_met: bool) -> str:
    return "met" if is_met else "**missed**"


def _build_goals(
    what: str,
    contender: str,
    *,
    faster: float = 0,
    slower: float = 0,
    sizes: Sequence[int] = _SIZES,
) -> list[tuple[str, str, str, str, str]]:
    """A row for each size."""
    goal = f"≥ {faster:g}× as fast" if faster else f"≤ {slower:g}× its time"
    rows, cases = [], load("build")
    for size in sizes:
        case = cases.get(str(size), {"seconds": {}})
        own, other = median(case, "project"), median(case, contender)
        measured, verdict = "–", "not measured"
        if own and other:
            ratio = other / own if faster else own / other
            measured = f"{ratio:.2f}×"
            verdict = _verdict(ratio >= faster if faster else ratio <= slower)
        rows.append((what, goal, measured, f"{size:,} readings", verdict))
    return rows


def _memory_goal(readings: int, limit_gib: int) -> _Goal:
    goal, case = f"≤ {limit_gib} GiB", load("build").get(str(readings))
    if case is None:
        return goal, "–", "–", "not measured"
    # An upper bound: not all have their peak at once.
    parts = ("spark", "endpoint", "kafka", "dbt")
    gib = sum(case["memory_mib"][part] for part in parts) / 1024
    return goal, f"{gib:.1f} GiB", f"{readings:,} readings", _verdict(gib <= limit_gib)


def _incremental_goal(variant: str) -> _Goal:
    goal = "≤ 1.2× its time on 1×"
    for case in _largest("incremental"):
        facts = case["facts"]
        least, most = min(facts["factors"]), max(facts["factors"])
        size = f"{facts['base_readings'] * least:,} to {facts['base_readings'] * most:,} readings"
        ratio = facts[f"ratio_{variant}"]
        verdict = _verdict(ratio <= 1.2) if most >= 100 * least else "not measured at 100×"
        return goal, f"{ratio:.2f}×", size, verdict
    return goal, "–", "–", "not measured"


def _read_goal(variant: str, measure: str) -> _Goal:
    goal = "≤ 1.2× those on 1×"
    for case in _largest("incremental"):
        facts = case["facts"]
        first, *longer = (
            _middle(facts["reads"][f"{variant}_{factor}x"], measure) for factor in facts["factors"]
        )
        # The worst, so that none may stand out.
        ratio = max(longer) / first
        size = f"the worst of {', '.join(f'{factor}×' for factor in facts['factors'][1:])}"
        return goal, f"{ratio:.2f}×", size, _verdict(ratio <= 1.2)
    return goal, "–", "–", "not measured"


def _nothing_new_goal() -> _Goal:
    goal = "≤ 1.5× dbt's start and a `select 1` a node"
    for case in _largest("nothing-new"):
        ratio, size = case["facts"]["ratio"], f"{case['facts']['readings']:,} readings"
        return goal, f"{ratio:.2f}×", size, _verdict(ratio <= 1.5)
    return goal, "–", "–", "not measured"


def _landing_goal(who: str, contender: str, limit: float) -> _Goal:
    goal = f"≥ {limit:g}× its rate"
    for case in reversed(_by_size("landing").values()):
        own, other = median(case, who), median(case, contender)
        if own and other:
            size = f"{case['facts']['records']:,} records"
            return goal, f"{other / own:.2f}×", size, _verdict(other / own >= limit)
    return goal, "–", "–", "not measured"


def _landing_rate_goal(limit: int) -> _Goal:
    goal = f"≥ {limit:,}"
    for case in _largest("landing"):
        records = case["facts"]["records"]
        rate = records / (median(case, "project") or math.inf)
        return goal, f"{rate:,.0f}", f"{records:,} records", _verdict(rate >= limit)
    return goal, "–", "–", "not measured"


def _latency_goal(name: str, percentile: str, limit: int) -> _Goal:
    goal, case = f"≤ {limit} s", load("latency").get(name)
    if case is None:
        return goal, "–", "–", "not measured"
    taken = case["facts"]["bronze"][f"{percentile}_seconds"]
    size = f"{case['facts']['rate']:,}/s for {case['facts']['seconds']:g} s"
    return goal, f"{taken:.1f} s", size, _verdict(taken <= limit)


def _build() -> str:
    cases = _by_size("build")
    sections = []
    for name, case in cases.items():
        own = median(case, "project") or math.nan
        shown = [name for name in CONTENDERS if name in case["seconds"]]
        rows = [
            (who, _seconds(case, who), _ratio(median(case, who), own), _first(case, who))
            for who in (*shown, "project_with_tests")
            if who in case["seconds"]
        ]
        image = _bars(f"build-{name}", f"Full build of {int(name):,} readings", case, shown)
        table = _table(("contender", "seconds (each round)", "to the project", "cold"), rows)
        sections.append(f"### {int(name):,} readings\n\n{image}\n\n{table}\n\n{_caption(case)}")
    return "\n\n".join(sections) or _UNMEASURED


def _streams() -> str:
    """Seconds of the tutorials' stages, by size, in their last round."""
    cases = {
        size: case["facts"]["tutorials_seconds"]
        for size, case in _by_size("build").items()
        if case["facts"].get("tutorials_seconds")
    }
    if not cases:
        return _UNMEASURED
    stages = dict.fromkeys(stage for taken in cases.values() for stage in taken)
    rows = [(stage, *(f"{taken[stage]:.1f}" for taken in cases.values())) for stage in stages]
    return _table(("tutorials, seconds", *(f"{int(size):,}" for size in cases)), rows)


def _incremental() -> str:
    sections = []
    for case in _largest("incremental"):
        facts = case["facts"]
        factors = [f"{factor}x" for factor in facts["factors"]]
        rows = []
        series: dict[str, list[float]] = {}
        for variant, title in (("on_time", "all on time"), ("late", "1 % a month late")):
            for factor in factors:
                timed = f"{variant}_{factor}"
                reads = facts["reads"][timed]
                rows.append(
                    (
                        title,
                        factor,
                        _seconds(case, timed),
                        f"{_middle(reads, 'files'):,.0f}",
                        _mib(_middle(reads, "file_bytes")),
                        _mib(_middle(reads, "input_bytes")),
                        f"{_middle(reads, 'input_rows'):,.0f}",
                    )
                )
                series.setdefault(title, []).append(median(case, timed) or 0.0)
        ticks = [f"{facts['base_readings'] * factor:,}" for factor in facts["factors"]]
        title = f"Build of {facts['new_readings']:,} new readings, by readings of history"
        charts.lines(_IMAGES / "performance-incremental.svg", title, ticks, series, "s")
        head = ("new hour", "history", "seconds", "files", "their size", "bytes read", "rows read")
        ratios = (
            f"{factors[-1]} : {factors[0]} = {facts['ratio_on_time']:.2f}, "
            f"with late readings {facts['ratio_late']:.2f}."
        )
        image = f"![{title}](images/performance-incremental.svg)"
        sections.append(f"{image}\n\n{_table(head, rows)}\n\n{ratios}\n\n{_caption(case)}")
    return "\n\n".join(sections) or _UNMEASURED


def _nothing_new() -> str:
    for case in _largest("nothing-new"):
        facts = case["facts"]
        rows = [
            (f"`dbt build` of {facts['nodes']} nodes", _seconds(case, "build")),
            ("dbt's start, connected", _seconds(case, "start")),
            ("dbt's start, without a connection", _seconds(case, "start_unconnected")),
            (f"{facts['nodes']} times `select 1`", _seconds(case, "selects")),
            (
                f"`dbt build` with tests, {facts['nodes_with_tests']} nodes",
                _seconds(case, "build_with_tests"),
            ),
            (
                f"{facts['nodes_with_tests']} times `select 1`",
                _seconds(case, "selects_with_tests"),
            ),
        ]
        ratio = (
            f"Ratio {facts['ratio']:.2f} (to a start without a connection "
            f"{facts['ratio_unconnected']:.2f}); with tests, which read the tables, "
            f"{facts['ratio_with_tests']:.2f}."
        )
        asked = [
            (f"`{kind}`", f"{one['statements']:.0f}", f"{one['seconds']:.1f}")
            for kind, one in facts["statements"].items()
        ]
        head = ("what the build without tests asks", "statements", "seconds, side by side")
        tables = (_table(("what", "seconds"), rows), ratio, _table(head, asked), _caption(case))
        return "\n\n".join(tables)
    return _UNMEASURED


def _nodes() -> str:
    sections = []
    for size, case in _by_size("nodes").items():
        seconds = {name: statistics.median(times) for name, times in case["seconds"].items()}
        kinds = ("full", "new_hour", "nothing_new")
        names = {name.partition(": ")[2] for name in seconds}
        ordered = sorted(names, key=lambda node: -seconds.get(f"full: {node}", 0.0))
        rows = [
            (
                "**whole build**" if node == "build" else f"`{node}`",
                *(f"{seconds.get(f'{kind}: {node}', math.nan):.2f}" for kind in kinds),
            )
            for node in ordered
        ]
        hour = f"{case['facts']['new_readings']:,} new readings"
        head = ("node, seconds", "from nothing", hour, "nothing new")
        sections.append(f"### {int(size):,} readings\n\n{_table(head, rows)}\n\n{_caption(case)}")
    return "\n\n".join(sections) or _UNMEASURED


def _edit_loop() -> str:
    for case in _largest("edit-loop"):
        rows = [(f"`dbt {command}`", _seconds(case, command)) for command in case["seconds"]]
        return f"{_table(('after an edit', 'seconds'), rows)}\n\n{_caption(case)}"
    return _UNMEASURED


def _landing() -> str:
    sections = []
    for name, case in _by_size("landing").items():
        records = case["facts"]["records"]
        shown = [who for who in landing.CONTENDERS if who in case["seconds"]]
        rates = {who: records / (median(case, who) or math.inf) for who in shown}
        own = rates["project"]
        rows = [
            (who, f"{rates[who]:,.0f}", _ratio(own, rates[who]), _seconds(case, who))
            for who in shown
        ]
        title = f"Records a second, of {records:,}"
        charts.bars(
            _IMAGES / f"performance-landing-{name}.svg",
            title,
            [Bar(who, rates[who], f"{rates[who]:,.0f}/s", who == "project") for who in shown],
        )
        head = ("contender", "records a second", "project to it", "seconds")
        image = f"![{title}](images/performance-landing-{name}.svg)"
        sections.append(f"{image}\n\n{_table(head, rows)}\n\n{_caption(case)}")
    return "\n\n".join(sections) or _UNMEASURED


def _latency() -> str:
    rows, captions = [], []
    for name, case in sorted(load("latency").items()):
        beside = "nothing" if name.endswith("alone") else "builds"
        for layer in ("bronze", "gold"):
            found = case["facts"].get(layer)
            if found:
                rows.append(
                    (
                        f"{case['facts']['rate']:,}/s",
                        beside,
                        layer,
                        f"{found['records']:,}",
                        *(f"{found[f'{p}_seconds']:.1f} s" for p in ("p50", "p95", "longest")),
                    )
                )
        captions.append(f"{case['facts']['rate']:,}/s beside {beside}: {_caption(case)}")
    if not rows:
        return _UNMEASURED
    head = ("rate", "beside", "to", "records", "P50", "P95", "longest")
    return "\n\n".join((_table(head, rows), *captions))


def _past_one_machine() -> str:
    landings, builds = _largest("landing"), _largest("build")
    if not landings or not builds:
        return _UNMEASURED
    landed, build = landings[0], builds[0]
    readings = build["facts"]["readings"]
    size = {
        "Kafka": landed["facts"]["kafka_bytes_a_record"],
        "bronze": landed["facts"]["bronze_bytes_a_record"],
        "staging": build["facts"]["silver.stg_kafka__bpm_bytes"] / readings,
        "`heart_rates`": build["facts"]["silver.heart_rates_bytes"] / readings,
    }
    rows = [
        (
            where,
            f"{size_of:.1f}",
            f"{size_of * _PER_SECOND / 1e6:,.1f} MB",
            f"{size_of * _PER_DAY / 1e12:,.2f} TB",
            f"{size_of * _PER_DAY * 365 / 1e12:,.0f} TB",
            "–" if where == "Kafka" else f"{size_of * _PER_DAY / 2**28:,.0f}",
        )
        for where, size_of in size.items()
    ]
    head = ("a reading in", "bytes", "a second", "a day", "a year", "files of 256 MiB a day")
    land_rate = _per_core(landed, landed["facts"]["records"])
    build_rate = _per_core(build, readings)
    land_cores = math.ceil(_PER_SECOND / land_rate)
    build_cores = math.ceil(_PER_SECOND / build_rate)
    wearers = land_rate * landed["machine"]["cores"] * 5
    sums = [
        f"- This machine drains a topic as fast as the devices of {wearers:,.0f} wearers send.",
        f"- Landing measured {land_rate:,.0f} records a second and core, so {land_cores} cores "
        f"keep up with {_PER_SECOND:,} a second; with room to catch up, {2 * land_cores} cores and "
        "as many partitions.",
        f"- A full build measured {build_rate:,.0f} readings a second and core, so {build_cores} "
        "cores compute what comes in while it comes in, if each reading is computed once. A build "
        f"each half hour computes a member's day anew, {_BUILDS_A_DAY // 2} half hours of readings "
        "on average, and that part takes so many times as much: between "
        f"{build_cores} and {_BUILDS_A_DAY // 2 * build_cores} cores. A warehouse of that many "
        "cores, whatever its size is called, is where to begin measuring.",
        f"- Between two builds {_PER_DAY // _BUILDS_A_DAY:,} readings arrive.",
    ]
    source = f"{_caption(landed)}\n\n{_caption(build)}"
    return f"{_table(head, rows)}\n\n" + "\n".join(sums) + f"\n\n{source}"


def _per_core(case: Case, rows: int) -> float:
    return float(rows / (median(case, "project") or math.inf) / case["machine"]["cores"])


def _by_size(part: str) -> dict[str, Case]:
    return dict(sorted(load(part).items(), key=lambda item: int(item[0])))


def _largest(part: str) -> list[Case]:
    """The case of the greatest size, in a list; empty if there is none."""
    return list(_by_size(part).values())[-1:]


def _bars(name: str, title: str, case: Case, shown: list[str]) -> str:
    rows = [
        Bar(who, value, f"{value:.1f} s", who == "project")
        for who in shown
        if (value := median(case, who)) is not None
    ]
    if rows:
        charts.bars(_IMAGES / f"performance-{name}.svg", f"{title}, seconds", rows)
    return f"![{title}](images/performance-{name}.svg)"


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _seconds(case: Case, name: str) -> str:
    times = case["seconds"].get(name)
    if not times:
        return "–"
    each = f" ({', '.join(f'{t:.1f}' for t in times)})" if len(times) > 1 else ""
    return f"{statistics.median(times):.1f}{each}"


def _first(case: Case, name: str) -> str:
    times = case["seconds"].get(f"{name}_first")
    return f"{times[0]:.1f}" if times else "–"


def _ratio(value: float | None, to: float) -> str:
    return "–" if value is None or not to else f"{value / to:.2f}"


def _middle(reads: list[Mapping[str, Any]], name: str) -> float:
    return float(statistics.median(read[name] for read in reads))


def _mib(size: float) -> str:
    return f"{size / 2**20:,.1f} MiB"


def _caption(case: Case) -> str:
    """Command, machine and date of a figure, and the memory that it took."""
    machine = case["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    peaks = ", ".join(f"{name} {mib:,}" for name, mib in sorted(case["memory_mib"].items()))
    return (
        f"<sub>`{case['command']}` on {case['measured_at'][:10]}; {machine['cores']} cores "
        f"({machine['cpu']}), {machine['memory_gib']} GiB; {machine['system']}; {versions}. "
        f"Peak memory in MiB: {peaks}.</sub>"
    )
