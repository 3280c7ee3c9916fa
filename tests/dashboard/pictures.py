"""The pictures in README and docs, taken of what `lakehouse demo` wrote (`make pictures`).

None is taken before every number of its page is what SQL gives on the demo's gold. Beside them lies
`pictures.json`: of each picture its hash, the numbers that it begins with, and a hash of all of
its rows. A demo anywhere must come out with the same (`tests/simulator/test_demo_run.py`).
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from lakehouse.dashboard.definition import Definition
from lakehouse.dashboard.sources import Source, endpoint
from lakehouse.home import CHECKOUT, Home
from tests.dashboard.browser import chromium, opened
from tests.dashboard.test_page import TABS, differences, visuals

FOLDER = CHECKOUT / "docs" / "images"
NUMBERS = "pictures.json"
MEMBER_DAY = "member-day"
SIZE = (1280, 900)
Json = dict[str, Any]

# The member's day once more, not as lakehouse/dashboard/members.py asks.
_DAY = """
select d.*, b.fat_burn_from_bpm, b.cardio_from_bpm, b.peak_from_bpm
from daily_heart_rates d
left join silver.member_day_zones b on d.user_id = b.user_id and d.`date` = b.`date`
where d.user_id = :member
  and d.`date` = (select max(`date`) from daily_heart_rates where user_id = :member)"""
_CURVE = """
with clock as (
    select from_utc_timestamp(r.measured_at, z.time_zone) as at, r.heart_rate_bpm as bpm
    from silver.heart_rates r join silver.member_zones z on r.user_id = z.user_id
    where r.user_id = :member
)
select hour(at) * 60 + minute(at) as minute, min(bpm) as lowest, avg(bpm) as mean,
       max(bpm) as highest
from clock where cast(at as date) = (select max(cast(at as date)) from clock)
group by 1 order by 1"""
_SPANS = """
select 'workout' as kind, min_bpm, avg_bpm, max_bpm,
       (unix_micros(ended_at) - unix_micros(started_at)) / 6e7 as minutes
from workout_bpm_summary where user_id = :member and workout_date = :day
union all
select 'visit', minutes_exercising, null, null, minutes_in_gym
from gym_summary where user_id = :member and visit_date = :day"""
_OF_THE_DAY = (
    *("min_bpm", "avg_bpm", "max_bpm", "num_readings", "resting_bpm_estimate", "covered_minutes"),
    *("out_of_range_minutes", "fat_burn_minutes", "cardio_minutes", "peak_minutes"),
    *("active_zone_minutes", "fat_burn_from_bpm", "cardio_from_bpm", "peak_from_bpm"),
)


def write(home: Home, folder: Path = FOLDER) -> Json:
    """Take all pictures of the demo in a workspace; gives what is in `pictures.json`.

    Fails where a page shows another number than SQL gives.
    """
    definition, found = Definition.read(), {}
    path = home.root / "dashboard" / "fitbit.html"
    with endpoint(home) as gold, chromium() as browser:
        for tab in TABS:
            with opened(browser, path, tab=tab, size=SIZE) as page:
                faults = differences(page, gold, definition, tab, {})
                assert faults == [], faults
                found[f"{tab}.png"] = _taken(page, folder / f"{tab}.png", *_shown(page, tab))
        members = path.with_name("fitbit.members.html")
        with opened(browser, members, tab="day", size=SIZE) as page:
            shown = _members_day(page)
            wanted = _by_sql(gold, shown["member"], shown["day"]["date"])
            assert shown == wanted, (shown, wanted)
            found[f"{MEMBER_DAY}.png"] = _taken(
                page, folder / f"{MEMBER_DAY}.png", shown["day"], shown
            )
    (folder / NUMBERS).write_text(json.dumps(found, indent=1, sort_keys=True) + "\n")
    return found


def _taken(page: Any, path: Path, first: Json, rows: Json) -> Json:
    page.screenshot(path=path)
    text = json.dumps(rows, sort_keys=True, default=str)
    return {
        "picture": hashlib.sha256(path.read_bytes()).hexdigest(),
        "begins with": first,
        "all rows": hashlib.sha256(text.encode()).hexdigest(),
    }


def _shown(page: Any, tab: str) -> tuple[Json, Json]:
    """Texts of the counters, and the rows of all widgets."""
    widgets = visuals(Definition.read(), tab)
    counters = {
        widget["spec"]["frame"]["title"]: page.locator(f"#w-{widget['name']} .value").inner_text()
        for widget in widgets
        if widget["spec"]["widgetType"] == "counter"
    }
    names = [widget["name"] for widget in widgets]
    rows = {n: page.evaluate("name => dashboard.rows(name)", n) for n in names}
    # The order of rows, and the last digits of sums, are not the same each time.
    return counters, {n: sorted(json.dumps(_rounded(r)) for r in each) for n, each in rows.items()}


def _members_day(page: Any) -> Json:
    """What the members' file shows of the member and day that it opens on."""
    state = page.evaluate(
        "() => ({ member: members.state.member, day: members.state.day,"
        " steps: members.stepsOf(members.state.day.start, members.state.day.count) })"
    )
    day, member = state["day"], state["member"]
    spans = [
        ["workout", row["min_bpm"], row["avg_bpm"], row["max_bpm"], row["minutes"]]
        for row in member["workouts"]
        if row["date"] == day["date"]
    ] + [
        ["visit", row["minutes_exercising"], None, None, row["minutes_in_gym"]]
        for row in member["visits"]
        if row["date"] == day["date"]
    ]
    names = ("minute", "lowest", "mean", "highest")
    return {
        "member": member["id"],
        "day": {"date": day["date"], **_rounded({name: day[name] for name in _OF_THE_DAY})},
        "spans": sorted(map(_texts, spans)),
        "curve": [[round(step[name], 1) for name in names] for step in state["steps"]],
    }


def _by_sql(gold: Source, member: str, date: str) -> Json:
    (day,) = gold.query(_DAY, {"member": member}).rows()
    spans = gold.query(_SPANS, {"member": member, "day": date}).rows()
    curve = gold.query(_CURVE, {"member": member}).rows()
    return {
        "member": member,
        "day": {"date": str(day["date"]), **_rounded({name: day[name] for name in _OF_THE_DAY})},
        "spans": sorted(_texts(row.values()) for row in spans),
        "curve": [[_tenth(value) for value in row.values()] for row in curve],
    }


def _tenth(value: Any) -> float:
    """As the file packs it: tenths, a half to the even one."""
    return round(float(value), 1)


def _texts(values: Any) -> list[str]:
    return [v if isinstance(v, str) else "" if v is None else f"{float(v):.4g}" for v in values]


def _rounded(row: Json) -> Json:
    return {k: v if isinstance(v, str | None) else float(f"{float(v):.6g}") for k, v in row.items()}


if __name__ == "__main__":
    write(Home.from_environment())
