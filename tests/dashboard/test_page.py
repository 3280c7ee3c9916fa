"""The page in a real Chromium: what it shows is what SQL gives, whatever one filters."""

from __future__ import annotations

from typing import Any

import pytest

from local.dashboard.definition import CANVAS, Definition, Json, is_personal
from local.dashboard.sources import Source
from tests.dashboard.browser import NARROW, WIDE, opened, overflow, ready
from tests.dashboard.conftest import Written
from tests.dashboard.sql import expected, same

TABS = ("gym-operations", "workouts", "pipeline-health")
LESS = "Fewer than 5 members"


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


def counters(definition: Definition, tab: str) -> list[tuple[str, str]]:
    """(widget, metric) of a page's counters."""
    return [
        (widget["name"], widget["spec"]["frame"]["description"].removeprefix("Metric: "))
        for widget in visuals(definition, tab)
        if widget["spec"]["widgetType"] == "counter"
    ]


def differences(
    page: Any, gold: Source, definition: Definition, tab: str, filters: dict[str, str]
) -> list[str]:
    """How what a tab shows differs from SQL."""
    found = []
    for widget in visuals(definition, tab):
        shown = page.evaluate("name => dashboard.rows(name)", widget["name"])
        wanted = expected(definition, gold, widget, filters)
        found += [f"{widget['name']}: {text}" for text in same(shown, wanted)]
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


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["1440", "400"])
def test_all_tabs_draw_without_errors_or_network(
    browser: Any, hundred: Written, definition: Definition, size: tuple[int, int], theme: str
) -> None:
    with opened(browser, hundred.path, tab=TABS[0], size=size, theme=theme) as page:
        for tab in TABS:
            page.locator(f"#tab-{tab}").click()
            ready(page, tab)
            assert overflow(page) == 0
            for widget in visuals(definition, tab):
                box = page.locator(f"#w-{widget['name']}")
                if widget["spec"]["widgetType"] not in ("counter", "table"):
                    assert box.locator("svg").count() == 1, widget["name"]
                assert box.locator(".empty").count() == 0, widget["name"]


@pytest.mark.parametrize("tab", TABS)
def test_every_number_is_that_of_sql(
    browser: Any, hundred: Written, definition: Definition, tab: str
) -> None:
    with opened(browser, hundred.path, tab=tab) as page:
        assert differences(page, hundred.gold, definition, tab, {}) == []


# One statement a counter, straight from gold, without the definition's own SQL.
COUNTERS = {
    "gym-visits": "select count(*) from gym_summary",
    "visiting-members": "select count(distinct user_id) from gym_summary",
    "exercise-minutes": "select round(avg(minutes_exercising) filter "
    "(where minutes_in_gym is not null), 1) from gym_summary",
    "inactive-members": "select count(*) from member_activity where is_inactive",
    "workout-count": "select count(*) from workout_bpm_summary",
    "median-duration": "select round(median((unix_micros(ended_at) - unix_micros(started_at))"
    " / 6e7), 1) from workout_bpm_summary",
    "mean-bpm": "select round(avg(avg_bpm), 1) from workout_bpm_summary",
    "active-zone-minutes": "select round(sum(active_zone_minutes)) from daily_heart_rates",
    "records-received": "select sum(received) from pipeline_health",
    "records-rejected": "select sum(rejected) from pipeline_health",
}


def test_counters_show_what_gold_holds(
    browser: Any, hundred: Written, definition: Definition
) -> None:
    with opened(browser, hundred.path, tab=TABS[0]) as page:
        shown = {}
        for tab in TABS:
            page.locator(f"#tab-{tab}").click()
            ready(page, tab)
            for name, _ in counters(definition, tab):
                shown[name] = float(value(page, name).replace(",", ""))
    wanted = {name: float(hundred.gold.query(sql).values[0][0]) for name, sql in COUNTERS.items()}
    assert shown == wanted


def test_filters_by_keyboard_narrow_all_that_they_reach(
    browser: Any, hundred: Written, definition: Definition
) -> None:
    filters = {
        "gym": "gym IN ('Northside', 'Old Mill')",
        "age_band": "age_band IN ('25-35', '35-45')",
        "gender": "gender = 'F'",
        "date": "date >= '2026-08-20' AND date <= '2026-10-10'",
    }
    with opened(browser, hundred.path, tab="gym-operations") as page:
        choose(page, "filter-gym", "Northside", "Old Mill")
        choose(page, "filter-age-band", "25-35", "35-45")
        choose(page, "filter-gender", "F")
        page.locator("#w-filter-date input").first.fill("2026-08-20")
        page.locator("#w-filter-date input").last.fill("2026-10-10")
        ready(page, "gym-operations")
        assert differences(page, hundred.gold, definition, "gym-operations", filters) == []
        # What a filter cannot narrow says so.
        note = page.locator("#w-inactive-members").inner_text()
        assert "Not filtered by date (utc), gym" in note
        # They hold on the next page, too.
        page.locator("#tab-workouts").focus()
        page.locator("#tab-gym-operations").focus()
        page.keyboard.press("ArrowRight")
        ready(page, "workouts")
        assert differences(page, hundred.gold, definition, "workouts", filters) == []
        page.get_by_role("button", name="Reset filters").first.click()
        ready(page, "workouts")
        assert differences(page, hundred.gold, definition, "workouts", {}) == []


def test_filters_of_the_pipeline_page(
    browser: Any, hundred: Written, definition: Definition
) -> None:
    filters = {"feed": "feed = 'bpm'", "arrival_date": "arrival_date <= '2026-09-01'"}
    with opened(browser, hundred.path, tab="pipeline-health") as page:
        choose(page, "filter-feed", "bpm")
        page.locator("#w-filter-arrival input").last.fill("2026-09-01")
        ready(page, "pipeline-health")
        assert differences(page, hundred.gold, definition, "pipeline-health", filters) == []


def test_small_groups_are_hidden_whatever_one_filters(
    browser: Any, hundred: Written, definition: Definition
) -> None:
    few = hundred.gold.query(
        "select count(distinct user_id) from daily_heart_rates where city = 'Altadena'"
        " and age_band = '25-35'"
    ).values[0][0]
    assert 0 < few < 5
    with opened(browser, hundred.path, tab="gym-operations") as page:
        choose(page, "filter-city", "Altadena")
        choose(page, "filter-age-band", "25-35")
        for tab in ("gym-operations", "workouts"):
            page.locator(f"#tab-{tab}").click()
            ready(page, tab)
            for widget in visuals(definition, tab):
                name = widget["name"]
                rows = page.evaluate("name => dashboard.rows(name)", name)
                values = [v for row in rows for n, v in row.items() if n.startswith("measure(")]
                assert set(values) <= {None}, name
                assert LESS in page.locator(f"#w-{name}").inner_text(), name


def test_bars_are_as_long_as_their_numbers(browser: Any, hundred: Written) -> None:
    shares = hundred.gold.query(
        "select gym_id, sum(minutes_exercising) filter (where minutes_in_gym is not null)"
        " / sum(minutes_in_gym) as share from gym_summary group by gym_id order by share desc"
    ).rows()
    wanted = {row["gym_id"]: row["share"] for row in shares}
    assert len(wanted) == 4
    with opened(browser, hundred.path, tab="gym-operations") as page:
        bars = page.locator("#w-exercise-share-by-gym svg .mark-rect.role-mark path").evaluate_all(
            "paths => paths.map(path => path.getBBox()).map(({y, width}) => ({y, width}))"
        )
        labels = page.locator(
            "#w-exercise-share-by-gym svg .mark-text.role-axis-label text"
        ).all_text_contents()
    lengths = [bar["width"] for bar in sorted(bars, key=lambda bar: bar["y"])]
    assert [label for label in labels if label in wanted] == list(wanted)
    scale = lengths[0] / next(iter(wanted.values()))
    assert lengths == pytest.approx([share * scale for share in wanted.values()], rel=1e-3)


def test_a_chart_is_a_table_at_the_press_of_a_button(browser: Any, hundred: Written) -> None:
    with opened(browser, hundred.path, tab="gym-operations") as page:
        button = page.locator("#w-exercise-share-by-gym header button")
        button.focus()
        page.keyboard.press("Enter")
        assert page.locator("#w-exercise-share-by-gym tbody tr").count() == 4
        page.keyboard.press("Enter")
        ready(page, "gym-operations")
        page.wait_for_selector("#w-exercise-share-by-gym svg")


def test_one_member_is_never_shown(browser: Any, one: Written, definition: Definition) -> None:
    with opened(browser, one.path, tab="gym-operations") as page:
        for widget in visuals(definition, "gym-operations"):
            text = page.locator(f"#w-{widget['name']}").inner_text()
            assert LESS in text or "No data yet" in text, widget["name"]


@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["1440", "400"])
def test_no_data_says_what_to_do(browser: Any, nobody: Written, size: tuple[int, int]) -> None:
    with opened(browser, nobody.path, tab="gym-operations", size=size) as page:
        for tab in TABS:
            page.locator(f"#tab-{tab}").click()
            ready(page, tab)
            panel = page.locator(f"#page-{tab}")
            assert "Gold has no rows for this page yet" in panel.inner_text()
            assert panel.locator("svg").count() == 0
            assert overflow(page) == 0


def test_the_members_page_only_points_to_the_members_file(browser: Any, hundred: Written) -> None:
    with opened(browser, hundred.path, tab=TABS[0]) as page:
        page.locator("#tab-member-day").click()
        ready(page, "member-day")
        text = page.locator("#page-member-day").inner_text()
        assert "lakehouse dashboard --members ID" in text
        assert page.locator("#page-member-day svg").count() == 0


def test_the_file_says_that_it_is_personal_and_is_its_owners_alone(
    browser: Any, hundred: Written
) -> None:
    with opened(browser, hundred.path, tab=TABS[0]) as page:
        assert page.locator("footer").inner_text().count("Personal data: ") == 1
    assert hundred.path.stat().st_mode & 0o077 == 0


def test_no_id_of_a_member_is_in_the_file(hundred: Written) -> None:
    text = hundred.path.read_text(encoding="utf-8")
    ids = hundred.gold.query("select user_id from member_activity").column("user_id")
    assert len(ids) == 100
    assert [each for each in ids if f'"{each}"' in text] == []
    macs = hundred.gold.query("select distinct mac_address from gym_summary").values[0]
    assert [each for each in macs if each in text] == []
