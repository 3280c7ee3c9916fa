"""The page in a real Chromium: what it shows is what SQL gives, whatever one filters."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from lakehouse.dashboard import lint
from lakehouse.dashboard.definition import CANVAS, Definition, Json, is_personal
from lakehouse.dashboard.sources import Source
from tests.dashboard.browser import NARROW, WIDE, opened, overflow, ready
from tests.dashboard.conftest import Written, written
from tests.dashboard.gold import Gold
from tests.dashboard.sql import expected, measures, same

TABS = ("how-full", "who-stays", "how-they-train", "pipeline")
HIDDEN = "Not shown: it would tell of fewer than 5 members"
# The page opens with this one chosen.
ALL_MEMBERS = {"who": "who = 'All members'"}


def visuals(definition: Definition, tab: str) -> list[Json]:
    """Widgets of a page that show numbers."""
    page = next(each for each in definition.pages if each["name"] == tab)
    assert page["pageType"] == CANVAS
    assert not is_personal(page)
    return [
        item["widget"]
        for item in page["layout"]
        if "spec" in item["widget"]
        and not item["widget"]["spec"]["widgetType"].startswith("filter-")
    ]


def differences(
    page: Any, gold: Source, definition: Definition, tab: str, filters: dict[str, str]
) -> list[str]:
    """How what a tab shows differs from SQL; `filters` by column, beside what is chosen anyway."""
    found = []
    for widget in visuals(definition, tab):
        name, encodings = widget["name"], widget["spec"]["encodings"]
        values, where = measures(definition, widget), ALL_MEMBERS | filters
        shown = page.evaluate("name => dashboard.rows(name)", name)
        texts = same(shown, expected(definition, gold, widget, where), values)
        if widget["spec"]["widgetType"] == "counter":
            # Its number is that of all periods, its line of each.
            period = encodings.get("period", {}).get("fieldName")
            total = page.evaluate("name => dashboard.total(name)", name)
            wanted = expected(definition, gold, widget, where, without=period)
            texts += same([total], wanted, values)
        found += [f"{name}: {text}" for text in texts]
    return found


def value(page: Any, widget: str) -> str:
    """The text of a counter."""
    text: str = page.locator(f"#w-{widget} .value").inner_text()
    return text


def choose(page: Any, name: str, *options: str) -> None:
    """Choose options of a filter, by keyboard alone; close it with Escape."""
    box = page.locator(f"#w-{name}")
    box.locator("summary").focus()
    page.keyboard.press("Enter")
    for option in options:
        box.locator(f'input[value="{option}"]').focus()
        page.keyboard.press("Space")
    page.keyboard.press("Escape")
    assert not box.locator("details").evaluate("details => details.open")
    assert box.locator("summary").inner_text() == ", ".join(options)


def go(page: Any, tab: str) -> None:
    page.locator(f"#tab-{tab}").click()
    ready(page, tab)


def below_its_place(box: Any) -> float:
    """Pixels of a chart that its place cuts off."""
    found: float = box.locator(".chart").evaluate(
        "place => place.querySelector('svg').getBoundingClientRect().height - place.clientHeight"
    )
    return found


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["1440", "400"])
def test_all_tabs_draw_without_errors_or_network(
    browser: Any, many: Written, definition: Definition, size: tuple[int, int], theme: str
) -> None:
    with opened(browser, many.path, tab=TABS[0], size=size, theme=theme) as page:
        for tab in TABS:
            go(page, tab)
            assert overflow(page) == 0
            assert page.locator(f"#page-{tab} h1").count() == 1
            for widget in visuals(definition, tab):
                box = page.locator(f"#w-{widget['name']}")
                if widget["spec"]["widgetType"] not in ("counter", "table", "pivot"):
                    assert box.locator("svg").count() == 1, widget["name"]
                    assert below_its_place(box) <= 0, widget["name"]
                assert box.locator(".empty").count() == 0, widget["name"]


@pytest.mark.parametrize("tab", TABS)
def test_every_number_is_that_of_sql(
    browser: Any, many: Written, definition: Definition, tab: str
) -> None:
    with opened(browser, many.path, tab=tab) as page:
        assert differences(page, many.gold, definition, tab, {}) == []


@pytest.mark.parametrize("tab", TABS)
def test_a_page_begins_with_one_number_its_change_and_its_line(
    browser: Any, many: Written, definition: Definition, tab: str
) -> None:
    first = visuals(definition, tab)[0]
    assert first["spec"]["widgetType"] == "counter"
    assert {"value", "target", "period"} <= set(first["spec"]["encodings"])
    with opened(browser, many.path, tab=tab) as page:
        box = page.locator(f"#w-{first['name']}")
        assert re.search(r"\d", value(page, first["name"]))
        assert re.match(r"[▲▼=] .* against [\d,.]+", box.locator(".change").inner_text())
        assert box.locator("svg.sparkline").count() == 1


def test_a_counter_that_stays_at_nothing_is_the_same(
    browser: Any, definition: Definition, tmp_path: Path
) -> None:
    gold = Gold.of(5, 60)
    gold.database.execute("update gold.pipeline_health set received = 0")
    shown = written(tmp_path, definition, gold)
    with opened(browser, shown.path, tab="pipeline") as page:
        change = page.locator("#w-received-28 .change").inner_text()
    assert change == "= the same against 0, the 28 days before"


def test_small_numbers_are_shown_as_whole_ones(
    browser: Any, definition: Definition, tmp_path: Path
) -> None:
    """Two months, a gym without capacity or members, shares of 28.6 % and 28.4 %."""
    shown = written(tmp_path, definition, Gold.of(100, 90))
    with opened(browser, shown.path, tab="who-stays") as page:
        ticks = page.locator("#w-retention-curve svg text").all_text_contents()
        assert {"0", "1"} <= {*ticks}
        assert not [tick for tick in ticks if "." in tick]
        go(page, "how-full")
        change = page.locator("#w-peak-share .change").inner_text()
        assert change == "▲ 1 point against 28 %, the 28 days before"
        assert "5" in page.locator("#w-today svg text").all_text_contents()


# One statement a counter, straight from gold, without the definition's own SQL.
_AGO = "date_diff('day', {0}, (select max({0}) from {1}))"
_DAYS, _ARRIVED = _AGO.format("local_date", "gym_days"), _AGO.format("arrival_date", "h")
COUNTERS = {
    "visits-28": f"select sum(visits) from gym_days where {_DAYS} < 28",
    "peak-share": "select round(100 * sum(peak_members) / sum(capacity)) from gym_days"
    f" join gyms using (gym_id) where {_DAYS} < 28 and peak_members > 0 and capacity > 0",
    "workouts-28": "select count(*) from workout_bpm_summary where date_diff('day', workout_date,"
    " (select max(as_of_date) from member_activity)) < 28",
    "falling": "select count(*) from member_activity where is_falling",
    "inactive": "select count(*) from member_activity where is_inactive",
    "received-28": f"select sum(received) from pipeline_health h where {_ARRIVED} < 28",
    "rejected-share": "select round(100 * sum(rejected) / sum(received), 2)"
    f" from pipeline_health h where {_ARRIVED} < 28",
    "back-next-month": "select round(100 * arg_max(share, cohort_month)) from member_cohorts"
    " where months_since = 1 and share is not null",
}


def test_counters_show_what_gold_holds(browser: Any, many: Written, definition: Definition) -> None:
    with opened(browser, many.path, tab=TABS[0]) as page:
        shown = {}
        for tab in TABS:
            go(page, tab)
            for widget in visuals(definition, tab):
                if widget["name"] in COUNTERS:
                    text = value(page, widget["name"]).removesuffix(" %").replace(",", "")
                    shown[widget["name"]] = float(text)
    cursor = many.gold.database.cursor().execute("use gold")
    wanted = {}
    for name, sql in COUNTERS.items():
        row = cursor.execute(sql.replace("from h)", "from pipeline_health)")).fetchone()
        assert row is not None
        wanted[name] = float(row[0])
    assert shown == wanted


def test_filters_by_keyboard_narrow_all_that_they_reach_and_stand_in_the_address(
    browser: Any, many: Written, definition: Definition
) -> None:
    gyms, women = "gym IN ('Northside', 'Old Mill')", "who = 'Gender: F'"
    with opened(browser, many.path, tab="how-full") as page:
        choose(page, "filter-gym", "Northside", "Old Mill")
        ready(page, "how-full")
        assert differences(page, many.gold, definition, "how-full", {"gym": gyms}) == []
        # It holds on the next page, too; what it cannot narrow says so.
        page.locator("#tab-how-full").focus()
        page.keyboard.press("ArrowRight")
        ready(page, "who-stays")
        assert differences(page, many.gold, definition, "who-stays", {"gym": gyms}) == []
        assert "Not filtered by gym" in page.locator("#w-cohort-pivot").inner_text()
        assert "Not filtered" not in page.locator("#w-visits-a-week").inner_text()
        go(page, "how-they-train")
        choose(page, "filter-who", "Gender: F")
        ready(page, "how-they-train")
        assert differences(page, many.gold, definition, "how-they-train", {"who": women}) == []
        address = page.url
        page.get_by_role("button", name="Reset filters").locator("visible=true").click()
        ready(page, "how-they-train")
        assert differences(page, many.gold, definition, "how-they-train", {}) == []
        assert page.url.endswith("#how-they-train")
    # The address opens the same page with the same filters.
    with opened(browser, many.path, tab=address.split("#")[1]) as page:
        assert differences(page, many.gold, definition, "how-they-train", {"who": women}) == []
        go(page, "how-full")
        assert differences(page, many.gold, definition, "how-full", {"gym": gyms}) == []


def test_filters_of_the_pipeline_page(browser: Any, many: Written, definition: Definition) -> None:
    filters = {"feed": "feed = 'bpm'", "arrival_date": "arrival_date <= '2026-12-15'"}
    with opened(browser, many.path, tab="pipeline") as page:
        choose(page, "filter-feed", "bpm")
        page.locator("#w-filter-arrival input").last.fill("2026-12-15")
        ready(page, "pipeline")
        assert differences(page, many.gold, definition, "pipeline", filters) == []
        assert "2026-12-15" in page.url


def test_no_row_of_the_file_is_about_fewer_than_five(
    many: Written, one: Written, definition: Definition
) -> None:
    """Rows of datasets that read members' tables count 5 of them, by SQL of the test's own."""
    for dataset in definition.datasets:
        if dataset.is_personal or "HAVING" not in dataset.sql:
            continue
        counted = re.sub(r"HAVING.*$", "", dataset.sql, flags=re.S)
        for gold in (many.gold, one.gold):
            shown = gold.query(dataset.sql).num_rows
            head, tail = counted.split("SELECT", 1)
            least = gold.query(f"{head}SELECT COUNT(DISTINCT user_id) AS members, {tail}")
            assert shown == sum(1 for n in least.column("members") if n >= 5), dataset.name
    names = {each.name for each in definition.datasets if "HAVING" in each.sql}
    assert len(names) == 9
    assert lint.check(definition.raw) == []


def test_one_member_is_never_shown(browser: Any, one: Written, definition: Definition) -> None:
    with opened(browser, one.path, tab=TABS[0]) as page:
        for tab in ("how-full", "who-stays", "how-they-train"):
            go(page, tab)
            for widget in visuals(definition, tab):
                rows = page.evaluate("name => dashboard.rows(name)", widget["name"])
                values = measures(definition, widget) - {"measure(room)"}
                shown = {row[name] for row in rows for name in values}
                assert shown <= {None, 0}, widget["name"]


def test_no_id_of_a_member_is_in_the_file(many: Written) -> None:
    text = many.path.read_text(encoding="utf-8")
    ids = many.gold.query("select user_id from member_activity").column("user_id")
    assert len(ids) == 300
    assert [each for each in ids if f'"{each}"' in text] == []
    macs = many.gold.query("select distinct mac_address from gym_summary").values[0]
    assert [each for each in macs if each in text] == []
    assert many.path.stat().st_mode & 0o077 == 0


def test_bars_are_as_long_as_their_numbers(browser: Any, many: Written) -> None:
    rows = many.gold.query(
        "select age_band, sum(minutes_in_gym) / count(distinct user_id) as minutes"
        " from gym_summary where user_id is not null and minutes_in_gym is not null and"
        " datediff((select max(as_of_date) from member_activity), visit_date) between 0 and 27"
        " group by age_band order by age_band"
    ).rows()
    wanted = {row["age_band"].replace("invalid age", "not known"): row["minutes"] for row in rows}
    assert len(wanted) == 7
    name = "#w-gym-minutes-per-member svg"
    with opened(browser, many.path, tab="how-they-train") as page:
        bars = page.locator(f"{name} .mark-rect.role-mark path").evaluate_all(
            "paths => paths.map(path => path.getBBox()).map(({y, width}) => ({y, width}))"
        )
        labels = page.locator(f"{name} .mark-text.role-axis-label text").all_text_contents()
        texts = page.locator(f"{name} .mark-text.role-mark text").all_text_contents()
    lengths = [bar["width"] for bar in sorted(bars, key=lambda bar: bar["y"])]
    assert [label for label in labels if label in wanted] == list(wanted)
    scale = lengths[0] / next(iter(wanted.values()))
    assert lengths == pytest.approx([each * scale for each in wanted.values()], rel=1e-3)
    assert sorted(texts) == sorted(f"{each:,.0f}" for each in wanted.values())


def test_the_goal_is_drawn_where_it_is(browser: Any, many: Written) -> None:
    with opened(browser, many.path, tab="how-they-train") as page:
        name = "#w-zone-minutes-by-age"
        rule = page.locator(f"{name} svg .mark-rule.role-mark line").evaluate(
            "line => line.getBoundingClientRect().x"
        )
        bars = page.locator(f"{name} svg .mark-rect.role-mark path").evaluate_all(
            "paths => paths.map(path => path.getBoundingClientRect())"
        )
        rows = page.evaluate("dashboard.rows('zone-minutes-by-age')")
        assert "Goal: 150" in page.locator(f"{name} svg").text_content()
    longest = max(row["measure(zone_minutes)"] for row in rows)
    left, width = bars[0]["x"], max(bar["width"] for bar in bars)
    assert rule - left == pytest.approx(150 * width / longest, abs=1.5)


def test_one_mark_shows_lowest_mean_and_highest(browser: Any, many: Written) -> None:
    with opened(browser, many.path, tab="how-they-train") as page:
        texts = page.locator("#w-bpm-per-workout svg .mark-text.role-mark text").all_text_contents()
        rows = page.evaluate("dashboard.rows('bpm-per-workout')")
        assert page.locator("#w-bpm-per-workout svg .mark-symbol path").count() == len(rows)
    wanted = [f"{row[name]:.0f}" for row in rows for name in ("lowest", "mean", "highest")]
    assert sorted(texts) == sorted(wanted)


def test_small_multiples_have_a_panel_each(browser: Any, many: Written) -> None:
    with opened(browser, many.path, tab="pipeline") as page:
        for name in ("reject-rate", "lateness"):
            texts = page.locator(f"#w-{name} svg text").all_text_contents()
            found = [text for text in texts if re.fullmatch("[a-z_]+", text)]
            assert sorted(set(found)) == sorted(
                ["bpm", "gym_logins", "registered_users", "user_info", "workout"]
            ), name


def test_cohorts_are_a_pivot_with_a_colour_scale(browser: Any, many: Written) -> None:
    wanted = many.gold.query(
        "select cohort_month, months_since, members, share from member_cohorts"
        " where members is not null"
    ).rows()
    first = min(row["cohort_month"] for row in wanted)
    with opened(browser, many.path, tab="who-stays") as page:
        line = page.locator("#w-cohort-pivot tbody tr").first
        cells = line.locator("td").all_text_contents()
        colors = line.locator("td.cell").evaluate_all(
            "cells => cells.map(cell => getComputedStyle(cell).backgroundColor)"
        )
        assert line.locator("th").inner_text() == f"{first:%b %Y}"
    mine = sorted(
        (row for row in wanted if row["cohort_month"] == first),
        key=lambda row: int(row["months_since"]),
    )
    texts = ["–" if row["share"] is None else f"{100 * row['share']:.0f} %" for row in mine]
    assert cells == [f"{mine[0]['members']:,}", *texts]
    shares = [row["share"] for row in mine if row["share"] is not None]
    assert len(set(colors)) >= len(set(shares))


def test_few_rejected_records_are_no_alarm(browser: Any, many: Written) -> None:
    """One of ten is chance: it has its bar and its number, but neither colour nor share."""
    few = "up to 1 % or 4 records"
    with opened(browser, many.path, tab="pipeline") as page:
        days = page.evaluate("dashboard.rows('reject-rate')")
        feeds = page.evaluate("dashboard.rows('feeds')")
        cells = page.locator("#w-feeds tbody tr", has_text="registered_users").locator("td")
        share = cells.nth(list(feeds[0]).index("measure(rejected_share_shown)"))
        assert share.inner_text() == "–"
        assert share.locator(".status").count() == 0
    rejected = [(day["rate"] * day["received"], day["rate"], day["status"]) for day in days]
    assert {status for records, _, status in rejected if records < 4.5} == {few}
    assert max(rate for _, rate, status in rejected if status == few) > 0.05
    assert {s for records, rate, s in rejected if records > 4.5 and rate > 0.05} == {"over 5 %"}
    shown = {row["feed"]: row["measure(rejected_share_shown)"] for row in feeds}
    assert [feed for feed in shown if shown[feed] is None] == ["registered_users"]
    assert all(row["measure(rejected_now)"] is not None for row in feeds)


def test_statuses_have_a_mark_beside_the_number(browser: Any, many: Written) -> None:
    with opened(browser, many.path, tab="pipeline") as page:
        rows = page.evaluate("dashboard.rows('feeds')")
        statuses = page.locator("#w-feeds tbody .status")
        # One of few is no rate, and has no mark.
        shown = [row for row in rows if row["measure(rejected_share_shown)"] is not None]
        assert statuses.count() == 2 * len(rows) + len(shown)
        tints = statuses.evaluate_all("all => all.map(each => each.style.cssText)")
    assert len(set(tints)) > 1


def test_a_chart_is_a_table_at_the_press_of_a_button(browser: Any, many: Written) -> None:
    with opened(browser, many.path, tab="how-they-train") as page:
        for name in ("gym-minutes-per-member", "bpm-per-workout"):
            button = page.locator(f"#w-{name} header button")
            button.focus()
            page.keyboard.press("Enter")
            assert page.locator(f"#w-{name} tbody tr").count() == 7
            page.keyboard.press("Enter")
            ready(page, "how-they-train")
            page.wait_for_selector(f"#w-{name} svg")


def test_a_page_prints_without_its_controls(browser: Any, many: Written) -> None:
    with opened(browser, many.path, tab="how-full?filter-gym=Northside") as page:
        page.emulate_media(media="print")
        assert page.locator("#page-how-full h1").is_visible()
        assert page.locator("#w-filter-gym summary").inner_text() == "Northside"
        for hidden in ("#tab-who-stays", "#theme", "#w-busy-hours header button"):
            assert not page.locator(hidden).is_visible(), hidden


@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["1440", "400"])
def test_no_data_says_what_to_do(browser: Any, nobody: Written, size: tuple[int, int]) -> None:
    with opened(browser, nobody.path, tab=TABS[0], size=size) as page:
        for tab in TABS:
            go(page, tab)
            banner = page.locator(f"#page-{tab} .banner").inner_text()
            assert "There is nothing to show here yet" in banner
            assert "It needs " in banner
            assert "lakehouse ingest" in banner
            assert page.locator(f"#page-{tab} svg").count() == 0
            assert overflow(page) == 0


def test_a_part_without_data_says_what_it_needs(browser: Any, one: Written) -> None:
    with opened(browser, one.path, tab="who-stays") as page:
        assert "whole calendar month" in page.locator("#w-cohort-pivot .empty").inner_text()


def test_the_members_page_only_points_to_the_members_file(browser: Any, many: Written) -> None:
    with opened(browser, many.path, tab=TABS[0]) as page:
        go(page, "member-day")
        text = page.locator("#page-member-day").inner_text()
        assert "lakehouse dashboard --members ID" in text
        assert page.locator("#page-member-day svg").count() == 0


def test_words_are_an_operators(definition: Definition) -> None:
    """Ids of metrics, measures and columns stay in the file; "fewer than 5" is said once."""
    shown = json.dumps(
        [
            [widget["spec"]["frame"], re.findall(r'"displayName": "([^"]*)"', json.dumps(widget))]
            for _, widget in definition.widgets()
            if "spec" in widget
        ]
    )
    assert re.findall(r"\b[a-z]+_[a-z_]+\b", shown) == []
