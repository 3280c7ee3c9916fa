"""The members' file: what it holds, how it is packed, and how it looks in Chromium."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lakehouse.dashboard import members, page
from lakehouse.dashboard.members import Curves
from lakehouse.home import WorkspaceError
from lakehouse.jars import cache_folder
from tests.dashboard.browser import NARROW, WIDE, opened, overflow, ready
from tests.dashboard.conftest import Written
from tests.dashboard.gold import Gold


@pytest.fixture(scope="module")
def gold() -> Gold:
    return Gold.with_readings(100, 90)


@pytest.fixture(scope="module")
def hundred_members(gold: Gold, tmp_path_factory: pytest.TempPathFactory) -> Written:
    ids = list(gold.query("select user_id from member_activity").column("user_id"))
    path = tmp_path_factory.mktemp("members") / "fitbit.members.html"
    text = members.render(members.read(gold, ids), cache=cache_folder())
    page.write(path, text)
    return Written(path, gold)


def pick(shown: Any, member: str, day: str) -> None:
    shown.locator("#member").select_option(member)
    shown.locator("#day").select_option(day)
    ready(shown, "day")


def steps(shown: Any) -> list[dict[str, float]]:
    found: list[dict[str, float]] = shown.evaluate(
        "() => members.stepsOf(members.state.day.start, members.state.day.count)"
    )
    return found


def curve(gold: Gold, member: str, day: str, minutes: int) -> list[dict[str, float]]:
    """The curve of a day, straight from the readings."""
    return gold.query(
        "select cast(floor((hour(measured_at) * 60 + minute(measured_at)) / :step) as int) * :step"
        " as minute, min(heart_rate_bpm) as lowest, avg(heart_rate_bpm) as mean,"
        " max(heart_rate_bpm) as highest from silver.heart_rates"
        " where user_id = :member and cast(measured_at as date) = :day group by 1 order by 1",
        {"member": member, "day": day, "step": minutes},
    ).rows()


def test_a_hundred_members_by_ninety_days_stay_small(hundred_members: Written) -> None:
    assert hundred_members.path.stat().st_size < 10_000_000


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["1440", "400"])
def test_both_tabs_draw_without_errors_or_network(
    browser: Any, hundred_members: Written, size: tuple[int, int], theme: str
) -> None:
    with opened(browser, hundred_members.path, tab="day", size=size, theme=theme) as shown:
        assert "Personal data" in shown.locator(".banner").inner_text()
        assert shown.locator("#page-day .chart svg").count() == 4
        assert overflow(shown) == 0
        shown.locator("#tab-compared").click()
        ready(shown, "compared")
        assert shown.locator("#page-compared .chart svg").count() == 4
        assert overflow(shown) == 0


@pytest.mark.parametrize(
    ("day", "minutes"), [("2026-10-31", 1), ("2026-10-25", 1), ("2026-10-24", 15)]
)
def test_the_curve_is_that_of_the_readings(
    browser: Any, hundred_members: Written, day: str, minutes: int
) -> None:
    with opened(browser, hundred_members.path, tab="day") as shown:
        pick(shown, "m001", day)
        got = steps(shown)
    wanted = curve(hundred_members.gold, "m001", day, minutes)
    assert len(got) == len(wanted) > 90
    for one, two in zip(got, wanted, strict=True):
        assert one["minute"] == two["minute"]
        assert one["lowest"] == two["lowest"]
        assert one["highest"] == pytest.approx(two["highest"], abs=0.051)
        assert one["mean"] == pytest.approx(two["mean"], abs=0.051)


def test_the_day_shows_what_gold_says(browser: Any, hundred_members: Written) -> None:
    gold = hundred_members.gold
    visit = gold.query(
        "select user_id, visit_date, gym_name, minutes_in_gym from gym_summary join gyms"
        " using (gym_id) where user_id is not null and minutes_in_gym is not null"
        " and size(sessions) > 0"
        " order by visit_date desc, user_id limit 1"
    ).rows()[0]
    day = gold.query(
        "select resting_bpm_estimate as resting, cardio_minutes as cardio, age_band, city"
        " from daily_heart_rates where user_id = :member and `date` = :day",
        {"member": visit["user_id"], "day": str(visit["visit_date"])},
    ).rows()[0]
    with opened(browser, hundred_members.path, tab="day") as shown:
        pick(shown, visit["user_id"], str(visit["visit_date"]))
        text = shown.locator("#page-day").inner_text()
        assert f"{day['resting']:.1f}" in text
        assert day["age_band"] in text
        assert day["city"] in text
        assert visit["gym_name"] in text
        assert f"{visit['minutes_in_gym']:.1f}" in text
        label = shown.locator("#page-day .h-day svg").get_attribute("aria-label")
        assert "1 workouts and 1 visits are marked" in label
        zones = shown.locator("#page-day .h-low svg").first.get_attribute("aria-label")
        assert f"Cardio {day['cardio']:.1f} min" in zones


def test_days_are_chosen_by_keyboard(browser: Any, hundred_members: Written) -> None:
    with opened(browser, hundred_members.path, tab="day") as shown:
        first = shown.locator("#day").input_value()
        shown.get_by_role("button", name="Earlier").focus()
        shown.keyboard.press("Enter")
        ready(shown, "day")
        assert shown.locator("#day").input_value() < first
        shown.get_by_role("button", name="Later").focus()
        shown.keyboard.press("Enter")
        ready(shown, "day")
        assert shown.locator("#day").input_value() == first


def test_members_compared_are_the_sums_of_gold(browser: Any, hundred_members: Written) -> None:
    ids = ["m001", "m002", "m003"]
    three = members.read(hundred_members.gold, ids)
    path = hundred_members.path.with_name("three.html")
    path.write_text(members.render(three, cache=cache_folder()), encoding="utf-8")
    wanted = hundred_members.gold.query(
        "select user_id, round(sum(minutes_in_gym), 1) as minutes from gym_summary"
        " where user_id in ('m001', 'm002', 'm003') group by user_id order by user_id"
    ).rows()
    with opened(browser, path, tab="day") as shown:
        shown.locator("#tab-compared").click()
        ready(shown, "compared")
        bars = shown.locator("#page-compared section").first.locator(
            "svg .mark-rect.role-mark path"
        )
        heights = bars.evaluate_all("paths => paths.map(path => path.getBBox().height)")
    scale = heights[0] / wanted[0]["minutes"]
    assert heights == pytest.approx([row["minutes"] * scale for row in wanted], rel=1e-3)


def test_a_member_without_readings_or_profile(browser: Any, tmp_path: Path) -> None:
    gold = Gold.empty()
    when = datetime.datetime(2026, 8, 3, 18)
    gold.insert("gyms", [{"gym_id": "3", "gym_name": "Old Mill", "time_zone": "UTC"}])
    gold.insert("member_activity", [{"user_id": "</script>", "logins": 1}])
    gold.insert(
        "gym_summary",
        [
            {
                "user_id": "</script>",
                "gym_id": "3",
                "mac_address": "02:00:00:00:00:01",
                "visit_date": when.date(),
                "login_at": when,
                "minutes_exercising": 0.0,
            }
        ],
    )
    path = tmp_path / "one.html"
    path.write_text(
        members.render(members.read(gold, ["</script>"]), cache=cache_folder()), encoding="utf-8"
    )
    with opened(browser, path, tab="day") as shown:
        text = shown.locator("#page-day").inner_text()
        assert "No readings that day" in text
        assert "not known" in text
        assert "Old Mill" in text


def test_what_crosses_midnight_is_marked_on_both_days(browser: Any, tmp_path: Path) -> None:
    gold = Gold.empty()
    night = datetime.datetime(2026, 8, 3, 23, 30)
    end = night + datetime.timedelta(minutes=75)
    gold.insert("member_activity", [{"user_id": "owl", "logins": 2}])
    gold.insert("gyms", [{"gym_id": name, "gym_name": name} for name in ("Old Mill", "Harbour")])
    profile = {"user_id": "owl", "age_band": "25-35", "city": "Burbank"}
    workout = {**profile, "workout_id": "w", "session_id": "1", "avg_bpm": 120.0}
    gold.insert(
        "workout_bpm_summary",
        [{**workout, "workout_date": night.date(), "started_at": night, "ended_at": end}],
    )
    visit = {**profile, "gym_id": "Old Mill", "visit_date": night.date()}
    midnight = datetime.datetime(2026, 8, 4)
    gold.insert(
        "gym_summary",
        [
            {**visit, "login_at": night, "logout_at": end},
            # Ends where the next day begins.
            {**visit, "login_at": night, "logout_at": midnight, "gym_id": "Harbour"},
        ],
    )
    # The next day has no row of its own: it keeps the profile.
    gold.insert(
        "daily_heart_rates", [{**profile, "date": night.date(), "active_zone_minutes": 60.0}]
    )
    gold.insert(
        "silver.heart_rates",
        [
            {"user_id": "owl", "measured_at": at, "heart_rate_bpm": 120.0}
            for at in (night + datetime.timedelta(minutes=n) for n in range(76))
        ],
    )
    path = tmp_path / "owl.html"
    path.write_text(
        members.render(members.read(gold, ["owl"]), cache=cache_folder()), encoding="utf-8"
    )
    marks = "#page-day .h-day svg .mark-rect.role-mark path[aria-label*='Workout w']"
    spans = {}
    with opened(browser, path, tab="day") as shown:
        for day in ("2026-08-03", "2026-08-04"):
            pick(shown, "owl", day)
            assert "Burbank" in shown.locator("#page-day").inner_text()
            assert ("Harbour" in shown.locator("#page-day").inner_text()) == (day[-1] == "3")
            spans[day] = shown.locator(marks).evaluate("path => path.getBBox().width")
            label = shown.locator("#page-day .h-day svg").get_attribute("aria-label")
            assert f"1 workouts and {2 if day[-1] == '3' else 1} visits are marked" in label
        assert "2026-08-03 23:30" in shown.locator("#page-day").inner_text()
    # 30 minutes of the one day, 45 of the other.
    assert spans["2026-08-04"] == pytest.approx(1.5 * spans["2026-08-03"], rel=0.05)


def test_days_and_times_are_of_the_members_clock(browser: Any, tmp_path: Path) -> None:
    gold = Gold.empty()
    # Ten in the evening of the 3rd in Los Angeles, which gold dates there.
    late, day = datetime.datetime(2026, 8, 4, 5), datetime.date(2026, 8, 3)
    end = late + datetime.timedelta(minutes=30)
    gold.insert("silver.member_zones", [{"user_id": "w", "time_zone": "America/Los_Angeles"}])
    gold.insert("gyms", [{"gym_id": "1", "gym_name": "Pier", "time_zone": "America/New_York"}])
    gold.insert("member_activity", [{"user_id": "w"}])
    gold.insert("daily_heart_rates", [{"user_id": "w", "date": day, "active_zone_minutes": 30.0}])
    session = {"user_id": "w", "workout_id": "run", "session_id": "1"}
    gold.insert(
        "workout_bpm_summary",
        [{**session, "workout_date": day, "started_at": late, "ended_at": end}],
    )
    # The visit's own date is the gym's: it is past midnight in New York.
    gold.insert(
        "gym_summary",
        [
            {
                "user_id": "w",
                "gym_id": "1",
                "visit_date": datetime.date(2026, 8, 4),
                "login_at": late,
                "logout_at": end,
            }
        ],
    )
    gold.insert(
        "silver.heart_rates",
        [{"user_id": "w", "measured_at": late, "heart_rate_bpm": 120.0}],
    )
    path = tmp_path / "west.html"
    path.write_text(
        members.render(members.read(gold, ["w"]), cache=cache_folder()), encoding="utf-8"
    )
    with opened(browser, path, tab="day") as shown:
        assert shown.locator("#day option").all_text_contents() == ["2026-08-03"]
        assert [step["minute"] for step in steps(shown)] == [22 * 60]
        text = shown.locator("#page-day").inner_text()
    assert text.count("22:00") >= 2
    assert "22:30" in text
    assert "Pier" in text


def test_without_a_profile_the_clock_is_the_projects_default(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gold = Gold.empty()
    gold.insert("member_activity", [{"user_id": "w"}])
    at = datetime.datetime(2026, 8, 4, 5)
    gold.insert("silver.heart_rates", [{"user_id": "w", "measured_at": at, "heart_rate_bpm": 99.0}])

    def dates() -> list[datetime.date]:
        return [date for _, date in members.read(gold, ["w"]).curves.starts]

    assert dates() == [datetime.date(2026, 8, 4)]
    monkeypatch.setattr(members, "_default_zone", lambda: "America/Los_Angeles")
    assert dates() == [datetime.date(2026, 8, 3)]


def test_the_file_opens_on_the_member_asked_for_first(browser: Any, tmp_path: Path) -> None:
    path = tmp_path / "two.html"
    chosen = members.read(Gold.of(3, 5), ["m002", "m001"])
    path.write_text(members.render(chosen, cache=cache_folder()), encoding="utf-8")
    with opened(browser, path, tab="day") as shown:
        assert shown.locator("#member").input_value() == "m002"
        assert shown.locator("#member option").all_text_contents() == ["m001", "m002"]


def test_unknown_members_are_named() -> None:
    with pytest.raises(WorkspaceError, match="gold knows no member nobody"):
        members.read(Gold.of(3, 5), ["m001", "nobody"])


def test_ids_are_parameters_of_the_statements() -> None:
    gold = Gold.of(3, 5)
    with pytest.raises(WorkspaceError):
        members.read(gold, ["x' or '1' = '1"])
    assert not any("or '1'" in statement for statement in gold.statements)


def test_the_file_is_its_owners_alone(hundred_members: Written) -> None:
    assert Path(hundred_members.path).stat().st_mode & 0o077 == 0


def test_whole_numbers_take_a_byte_and_others_keep_their_tenths() -> None:
    whole = Curves(
        {
            "minute": np.array([0.0, 1.0, 0.0]),
            "lowest": np.array([60.0, 61.0, 220.0]),
            "mean": np.array([60.04, 61.0, 220.0]),
            "highest": np.array([72.0, 61.0, 220.0]),
        },
        {},
    )
    layout, content = members.pack(whole)
    assert [(p["name"], p["bytes"], p["scale"]) for p in layout["planes"]] == [
        ("minute", 2, 1),
        ("lowest", 1, 1),
        ("mean", 2, 10),
        ("highest", 1, 1),
    ]
    # Three steps; planes begin at even places.
    assert len(content) == 6 + 4 + 6 + 4
