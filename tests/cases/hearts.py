"""Hours, days and months of the member's clock, zones of the heart-rate reserve, recovery."""

from .case import Case, Message, Row, at, bpm, logins, member, profile, registrations, session

DAY = 86_400
HOUR = 3600
#: 2023-11-05 04:00 UTC, when that Sunday begins in New York; at 06:00 UTC clocks go back to 1:00.
SUNDAY = -10 * DAY + 4 * HOUR
#: 2023-11-15 05:00 UTC, when that Wednesday begins in New York.
WEDNESDAY = 5 * HOUR
NEW_YORK = {"state": " ny "}


def _minutes(device: str, start: float, count: int, rate: float) -> list[Message]:
    """A reading a minute: so many minutes are covered."""
    return [bpm(device, start + 60 * i, rate) for i in range(count)]


def _autumn() -> Case:
    new, registered = member("autumn", address=NEW_YORK)
    hours = (
        # hour, local hour, date, readings, covered minutes
        (-HOUR, 23, "2023-11-04", 1, 0.33),
        (0, 0, "2023-11-05", 1, 1.0),
        (HOUR, 1, "2023-11-05", 1, 0.5),
        (2 * HOUR, 1, "2023-11-05", 1, 1.0),
        (24 * HOUR, 23, "2023-11-05", 1, 0.17),
        (25 * HOUR, 0, "2023-11-06", 1, 1.0),
    )
    return Case(
        "autumn",
        "Hours and days are of the member's clock: of the two hours from 1:00 each is one, and the "
        "day has 25.",
        (
            new,
            bpm("autumn-d", SUNDAY - 20, 60),
            bpm("autumn-d", SUNDAY, 70),
            bpm("autumn-d", SUNDAY + 2 * HOUR - 30, 80),
            bpm("autumn-d", SUNDAY + 2 * HOUR, 90),
            bpm("autumn-d", SUNDAY + 25 * HOUR - 10, 100),
            bpm("autumn-d", SUNDAY + 25 * HOUR, 110),
        ),
        (registered,),
        rows={
            "hourly_heart_rates": [
                {
                    "user_id": "autumn-u",
                    "hour_at": at(SUNDAY + start),
                    "local_hour": local_hour,
                    "date": date,
                    "num_readings": readings,
                    "covered_minutes": covered,
                }
                for start, local_hour, date, readings, covered in hours
            ],
            "daily_heart_rates": [
                {
                    "user_id": "autumn-u",
                    "date": date,
                    "num_readings": readings,
                    "covered_minutes": covered,
                }
                for date, readings, covered in (
                    ("2023-11-04", 1, 0.33),
                    ("2023-11-05", 4, 2.67),
                    ("2023-11-06", 1, 1.0),
                )
            ],
        },
    )


def _moved_to_another_zone() -> Case:
    new, registered = member("west", dob="1983-11-14", address=NEW_YORK)
    return Case(
        "west",
        "The newest version's state dates the whole history, also what was before it; the profile "
        "is that of the local day's first instant, the age that on its date.",
        (
            new,
            # Los Angeles is 8 hours behind UTC: its 14 November begins at 08:00 UTC.
            profile("west-u", -16 * HOUR + 1, dob="1983-11-14", address={"state": "CA"}),
            profile("west-u", 2 * DAY, "delete"),
            bpm("west-d", -16 * HOUR - 1, 60),
            bpm("west-d", 7 * HOUR, 60),
            bpm("west-d", 8 * HOUR, 60),
        ),
        (registered,),
        rows={
            "member_zones": [{"user_id": "west-u", "time_zone": "America/Los_Angeles"}],
            "daily_heart_rates": [
                {"user_id": "west-u", "date": date, "state": state, "covered_minutes": covered}
                for date, state, covered in (
                    ("2023-11-13", "ny", 0.02),
                    ("2023-11-14", "ny", 1.0),
                    ("2023-11-15", "CA", 1.0),
                )
            ],
            "member_day_zones": [
                {"user_id": "west-u", "date": date, "age": age}
                for date, age in (("2023-11-13", 39), ("2023-11-14", 40), ("2023-11-15", 40))
            ],
        },
    )


def _reserve() -> Case:
    """HRmax 180 at 40; 60.005 is 60.01, so zones begin at 108.006, 132.004 and 162.0015."""
    names = ("u", "short", "high", "near", "just", "ageless")
    born = {"near": "1932-11-15", "just": "1932-11-15", "ageless": None}
    readings = [
        *_minutes("karvonen-u", WEDNESDAY, 240, 60.005),
        *(
            bpm("karvonen-u", WEDNESDAY + (240 + i) * 60, rate)
            for i, rate in enumerate((108.006, 132.0039, 132.004, 162.0015))
        ),
        # The last one is cut after 59.9 s: 239.998 minutes.
        *_minutes("karvonen-short", WEDNESDAY + 20 * HOUR + 0.1, 240, 60.005),
        *_minutes("karvonen-high", WEDNESDAY, 240, 100.005),
        *_minutes("karvonen-near", WEDNESDAY, 240, 99.01),
        *_minutes("karvonen-just", WEDNESDAY, 240, 99),
        *_minutes("karvonen-ageless", WEDNESDAY, 240, 60.005),
    ]

    def day(name: str, basis: str | None, rest: float, covered: float, *zones: float | None) -> Row:
        out, fat_burn, cardio, peak = zones
        active = (
            None
            if fat_burn is None or cardio is None or peak is None
            else (fat_burn + 2 * (cardio + peak))
        )
        return {
            "user_id": f"karvonen-{name}",
            "date": "2023-11-15",
            "zone_basis": basis,
            "resting_bpm_estimate": rest,
            "covered_minutes": covered,
            "out_of_range_minutes": out,
            "fat_burn_minutes": fat_burn,
            "cardio_minutes": cardio,
            "peak_minutes": peak,
            "active_zone_minutes": active,
        }

    def bounds(name: str, age: int | None, *edges: float | None) -> Row:
        fat_burn, cardio, peak = edges
        return {
            "user_id": f"karvonen-{name}",
            "date": "2023-11-15",
            "age": age,
            "fat_burn_from_bpm": fat_burn,
            "cardio_from_bpm": cardio,
            "peak_from_bpm": peak,
        }

    return Case(
        "karvonen",
        "Zones are of the heart-rate reserve from 240 minutes of cover, before rounding, with an "
        "estimate of 100 at most, rounded half up, and 30 beats or more between it and HRmax.",
        (
            *(
                profile(
                    f"karvonen-{name}",
                    -100_000,
                    "new",
                    dob=born.get(name, "1983-11-15"),
                    address=NEW_YORK,
                )
                for name in names
            ),
            *readings,
        ),
        (
            registrations(
                "karvonen",
                *(
                    (f"karvonen-{name}", f"karvonen-{name}", f"karvonen-{letter}", -100_000.0)
                    for letter, name in zip("abcdef", names, strict=True)
                ),
            ),
        ),
        rows={
            "daily_heart_rates": [
                day("u", "reserve", 60.01, 244.0, 240.0, 2.0, 1.0, 1.0),
                day("short", "maximum", 60.01, 240.0, 240.0, 0.0, 0.0, 0.0),
                day("high", "maximum", 100.01, 240.0, 0.0, 240.0, 0.0, 0.0),
                # HRmax is 129 at 91; half of it 64.5, 70 percent 90.3, 85 percent 109.65.
                day("near", "maximum", 99.01, 240.0, 0.0, 0.0, 240.0, 0.0),
                day("just", "reserve", 99.0, 240.0, 240.0, 0.0, 0.0, 0.0),
                day("ageless", None, 60.01, 240.0, None, None, None, None),
            ],
            "member_day_zones": [
                bounds("u", 40, 108.006, 132.004, 162.0015),
                bounds("short", 40, 90.0, 126.0, 153.0),
                bounds("high", 40, 90.0, 126.0, 153.0),
                bounds("near", 91, 64.5, 90.3, 109.65),
                bounds("just", 91, 111.0, 117.0, 124.5),
                bounds("ageless", None, None, None, None),
            ],
        },
    )


def _zones_of_a_session() -> Case:
    new, registered = member("start", dob="1983-11-15", address=NEW_YORK)

    def summary(number: int, began: float, date: str, basis: str, *edges: float) -> Row:
        fat_burn, cardio, peak = edges
        return {
            "user_id": "start-u",
            "workout_id": "1",
            "session_id": str(number),
            "started_at": at(began),
            "workout_date": date,
            "gym_id": "start-g" if number == 2 else None,
            "zone_basis": basis,
            "fat_burn_from_bpm": fat_burn,
            "cardio_from_bpm": cardio,
            "peak_from_bpm": peak,
        }

    return Case(
        "start",
        "A session takes the resting rate of its member's local day of the start, whenever its "
        "readings are; without a row for that day, zones are of HRmax at its own age.",
        (
            new,
            *_minutes("start-d", WEDNESDAY + HOUR, 240, 60),
            # From the day before, which has no reading; then two of the day itself.
            *session("start-u", 1, WEDNESDAY - 60, WEDNESDAY + HOUR + 90),
            *session("start-u", 2, WEDNESDAY, WEDNESDAY + HOUR + 90),
        ),
        (registered, logins("start", ("start-m", "start-g", WEDNESDAY, WEDNESDAY + 60))),
        rows={
            "workout_bpm_summary": [
                # The day before the birthday: 39, HRmax 181.
                summary(1, WEDNESDAY - 60, "2023-11-14", "maximum", 90.5, 126.7, 153.85),
                summary(2, WEDNESDAY, "2023-11-15", "reserve", 108.0, 132.0, 162.0),
            ]
        },
    )


def _recovery() -> Case:
    new, registered = member("recover")

    def summary(number: int, start: float, recovery: float | None) -> Row:
        return {
            "user_id": "recover-u",
            "workout_id": "1",
            "session_id": str(number),
            "started_at": at(start),
            "heart_rate_recovery_bpm": recovery,
        }

    return Case(
        "recover",
        "Recovery is to the reading nearest to a minute after the end: of two as near the earlier, "
        "at one instant that of the least device; 10 s off at most.",
        (
            new,
            *session("recover-u", 1, 0, 100),
            bpm("recover-d", 100, 150),
            bpm("recover-e", 155, 90),
            bpm("recover-d", 155, 120),
            bpm("recover-d", 165, 110),
            *session("recover-u", 2, 1000, 1100),
            bpm("recover-e", 1100, 150),
            bpm("recover-e", 1170, 100),
            *session("recover-u", 3, 2000, 2100),
            bpm("recover-e", 2100, 150),
            bpm("recover-e", 2149.999999, 100),
            bpm("recover-e", 2170.000001, 100),
        ),
        (registered, registrations("recover_more", ("recover-u", "recover-e", "recover-n", DAY))),
        rows={
            "workout_bpm_summary": [
                summary(1, 0, 30),
                summary(2, 1000, 50),
                summary(3, 2000, None),
            ]
        },
    )


def _months() -> Case:
    new, registered = member("month", dob="1983-11-15", address=NEW_YORK)
    # December begins in New York at 05:00 UTC, where the gym is at 00:00.
    december = 16 * DAY + 5 * HOUR

    def month(day: str, **known: object) -> Row:
        return {"user_id": "month-u", "month": day, "cohort_month": "2023-11-01", **known}

    return Case(
        "month",
        "A month counts visits by the gym's date, workouts with readings or without by the "
        "member's; minutes of overlapping sessions once; a visit begins the cohort, a mere reading "
        "does not.",
        (
            new,
            bpm("month-d", -20 * DAY, 100),
            bpm("month-d", december, 95),
            *session("month-u", 1, december - 60, december + 60),
            *session("month-u", 2, december - 30, december + 90),
            *session("month-u", 3, december, december + 30),
        ),
        (
            registered,
            logins(
                "month",
                ("month-m", "month-g", 16 * DAY - 60, 16 * DAY),
                ("month-m", "month-g", 16 * DAY, None),
            ),
        ),
        rows={
            "member_months": [
                month(
                    "2023-10-01",
                    visits=0,
                    workouts=0,
                    gym_minutes=0.0,
                    exercise_minutes=0.0,
                    active_zone_minutes=1.0,
                    reserve_days=0,
                    mean_resting_bpm_estimate=None,
                ),
                month(
                    "2023-11-01",
                    visits=1,
                    workouts=2,
                    gym_minutes=1.0,
                    exercise_minutes=2.5,
                    active_zone_minutes=None,
                    reserve_days=0,
                    mean_resting_bpm_estimate=None,
                ),
                month(
                    "2023-12-01",
                    visits=1,
                    workouts=1,
                    gym_minutes=0.0,
                    exercise_minutes=0.5,
                    active_zone_minutes=1.0,
                    reserve_days=0,
                    mean_resting_bpm_estimate=None,
                ),
            ]
        },
    )


CASES = (
    _autumn(),
    _moved_to_another_zone(),
    _reserve(),
    _zones_of_a_session(),
    _recovery(),
    _months(),
)
