"""Records of which each late one makes a row disappear, in every table that can lose one.

`records`, `feed_arrivals` and `pipeline_health` tell of arrivals, which no later one undoes.
"""

from __future__ import annotations

from tests.histories.history import EPOCH, Entry, Records, mac_of

_HISTORY = 900
_W = f"w{_HISTORY}-"
_T = EPOCH + 86_400
# When the late records arrive, in hours as `sequence.land` counts: on a day of their own.
AFTER_HOUR = 240


def _at(offset: int) -> str:
    return f"timestamp_seconds({_T + offset})"


#: By table: a condition that rows meet before the late records and none does after.
GONE = {
    "silver.device_registrations": f"identifier = '{_W}d1' and owned_from = {_at(7200)}",
    "silver.user_profile_changes": f"user_id = '{_W}u3' and update_type = 'new'",
    "silver.user_profile_history": f"user_id = '{_W}u1' and valid_from = {_at(100)}",
    "silver.profile_versions": f"user_id = '{_W}u1' and in_force_from = {_at(100)}",
    "silver.user_profiles": f"user_id = '{_W}u3'",
    "silver.user_bins": f"user_id = '{_W}u3'",
    "silver.heart_rates": f"user_id = '{_W}u1' and measured_at = {_at(4000)}",
    "silver.gym_visits": f"mac_address = '{mac_of(_HISTORY, 2)}' and logout_at is null",
    "silver.workout_sessions": f"user_id = '{_W}u1' and status = 'orphan_stop'",
    "silver.workout_heart_rates": f"user_id = '{_W}u1' and started_at = {_at(600)}",
    "silver.session_visits": f"user_id = '{_W}u1' and started_at = {_at(600)}",
    "gold.workout_bpm_summary": f"user_id = '{_W}u1' and started_at = {_at(600)}",
    "gold.gym_summary": f"mac_address = '{mac_of(_HISTORY, 2)}' and minutes_in_gym is null",
    "gold.hourly_heart_rates": f"user_id = '{_W}u1' and hour_at = {_at(3600)}",
    "gold.daily_heart_rates": f"user_id = '{_W}u1' and date = '2026-03-04'",
    "silver.member_day_zones": f"user_id = '{_W}u1' and date = '2026-03-04'",
    "silver.member_zones": f"user_id = '{_W}u3'",
    # Without a logout the visit is there for three hours.
    "gold.gym_hourly_occupancy": f"gym_id = '{_W}g2' and hour_at = {_at(10_800)}",
    "gold.gym_hours": f"gym_id = '{_W}g2' and hour_at = {_at(10_800)}",
    "gold.member_activity": f"user_id = '{_W}u3'",
}


class _Made(Records):
    def __init__(self, number: int, first: int = 0) -> None:
        super().__init__(number)
        self.made = first

    def registration(self, user: str, device: str, mac: int, at: int) -> Entry:
        columns = {
            "user_id": _W + user,
            "device_id": _W + device,
            "mac_address": mac_of(_HISTORY, mac),
        }
        time = {"registration_timestamp": str(_T + at)}
        return self.row("registered_users", {**columns, **time})

    def change(self, user: str, kind: str, at: int, city: str = "Reno") -> Entry:
        payload = {"user_id": _W + user, "update_type": kind, "timestamp": _T + at}
        image = {"first_name": "Ann", "address": {"city": city}}
        return self.message("user_info", _W + user, {**payload, **image}, _T + at)

    def event(self, workout: int, action: str, at: int) -> Entry:
        ids = {"user_id": f"{_W}u1", "workout_id": workout, "session_id": 1}
        payload = {**ids, "action": action, "timestamp": _T + at}
        return self.message("workout", f"{_W}u1", payload, _T + at)

    def reading(self, device: str, at: int, rate: int) -> Entry:
        payload = {"device_id": _W + device, "time": _T + at, "heartrate": rate}
        return self.message("bpm", _W + device, payload, _T + at)

    def login(self, mac: int, gym: str, at: int, logout: int | None) -> Entry:
        columns = {"mac_address": mac_of(_HISTORY, mac), "gym": _W + gym, "login": str(_T + at)}
        end = {"logout": "" if logout is None else str(_T + logout)}
        return self.row("gym_logins", {**columns, **end})


def before() -> list[Entry]:
    """What is there first."""
    make = _Made(_HISTORY)
    return [
        make.registration("u1", "d1", 1, -3600),
        make.registration("u2", "d1", 2, 7200),
        make.registration("u1", "d2", 4, -3600),
        make.change("u1", "new", -1000, "Reno"),
        make.change("u1", "update", 100, "Ames"),
        make.change("u2", "new", -1000),
        make.change("u3", "new", -1000),
        make.event(1, "start", 600),
        make.event(1, "stop", 1200),
        make.event(2, "stop", 5000),
        make.reading("d1", 700, 80),
        make.reading("d1", 800, 90),
        make.reading("d1", 4000, 100),
        make.reading("d1", 4010, 101),
        make.reading("d2", 2 * 86_400, 60),
        make.login(1, "g1", 500, 1500),
        make.login(2, "g2", 7300, None),
    ]


def after() -> list[Entry]:
    """The late records."""
    make = _Made(_HISTORY, first=100)
    return [
        # d1 went to its next owner earlier: one interval less, an hour less for the former one.
        make.registration("u2", "d1", 3, 3600),
        # d2 had a next owner, before its only reading.
        make.registration("u2", "d2", 5, 0),
        # The city changed earlier: the later change changes nothing.
        make.change("u1", "update", 50, "Ames"),
        # A delete that appeared later than what else there is of that instant.
        make.change("u3", "delete", -1000),
        # Of two starts the first is left open; a stop finds its start.
        make.event(1, "start", 900),
        make.event(2, "start", 4400),
        # The lower reading of an instant stands.
        make.reading("d1", 800, 85),
        make.login(2, "g2", 7300, 8000),
    ]
