"""Who the members are: their profiles and devices over time. What they do is in `activities`.

The plan is small and made whole by every process; the readings follow from it (`readings`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

import numpy as np

from lakehouse.simulator import names, places
from lakehouse.simulator.activities import add_activities, add_earlier_visits
from lakehouse.simulator.attendance import make_habit
from lakehouse.simulator.members import Change, Member, Profile, Registration, Wear
from lakehouse.simulator.physiology import Heart
from lakehouse.simulator.settings import DAY_SECONDS, Settings, day_of, pick

_HOUR = 3600
FIRST_USER_ID, FIRST_DEVICE_ID = 10_001, 100_001


# Rare happenings that even a small simulation shows: dealt out to the first members, one each.
QUIRKS = (
    *("swap", "delete", "open_visit", "corrected_logout", "orphan_stop", "double_start"),
    *("never_stopped", "too_long", "bare_visit", "late_registration", "two_devices"),
    "quick_changes",
)


def make_plan(settings: Settings) -> list[Member]:
    """The members of a simulation, in the order of their index."""
    members = [_member(settings, index) for index in range(settings.users)]
    _hand_on(settings, members)
    members += [_gym_only(settings, settings.users + n) for n in range(settings.gym_only)]
    return members


def now_ms(settings: Settings) -> int | None:
    """When a simulation ends that does not go on to the end of its last day, by the first gym."""
    if settings.until is None:
        return None
    last = day_of(settings.end_s) - timedelta(days=1)
    midnight = places.midnight(last, places.gyms_of(settings)[0].zone)
    return (midnight + int(settings.until * _HOUR)) * 1000


def quirks_of(index: int, users: int) -> frozenset[str]:
    """The rare happenings that this member is sure to have."""
    return frozenset(q for n, q in enumerate(QUIRKS) if n % users == index)


def _member(settings: Settings, index: int) -> Member:
    random = settings.random("member", index)
    quirks = quirks_of(index, settings.users)
    user_id = str(FIRST_USER_ID + index)
    profile, zone, age = _profile(settings, index, random)
    start, end = places.days_of(settings, zone)
    wakes = random.normal(6.5, 0.8)
    member = Member(
        index,
        user_id,
        zone,
        Heart(
            resting=float(np.clip(random.normal(61, 6.5), 46, 82)),
            maximum=float(np.clip(208 - 0.7 * age + random.normal(0, 4), 145, 205)),
            wakes_at=float(np.clip(wakes, 4.5, 9)),
            sleeps_at=float(np.clip(random.normal(22.6, 0.7), 20.5, 23.9)),
        ),
        takes_off_at_night=bool(random.random() < 0.25),
    )
    joins_late = index >= len(QUIRKS) and random.random() < 0.1
    joined = (
        start + int(random.uniform(0, 0.5) * (end - start))
        if joins_late
        else start - int(random.uniform(1, settings.history or 500) * DAY_SECONDS)
    )
    absences = _changes(settings, member, profile, joined, quirks)
    present = _present(max(start, joined), end, absences)
    _devices(settings, member, joined, absences, quirks)
    habit = make_habit(settings, index, joined, end)
    add_earlier_visits(settings, member, joined, habit)
    add_activities(settings, member, present, quirks, habit)
    return member


def _gym_only(settings: Settings, index: int) -> Member:
    """A member of whom there are a profile, a device that opens the door, and visits."""
    random = settings.random("gym-only", index)
    profile, zone, _ = _profile(settings, index, random)
    start, end = places.days_of(settings, zone)
    opened = start - settings.history * DAY_SECONDS
    joined = int(random.uniform(opened, end - 3 * DAY_SECONDS))
    member = Member(index, str(FIRST_USER_ID + index), zone, Heart(60, 180, 6.5, 22.5), False)
    member.changes.append(_change(member, "new", joined * 1000, profile, random))
    device = FIRST_DEVICE_ID + 10 * index
    # Some registrations are still to come: until then these are visits of nobody one knows.
    registered = joined + int(random.uniform(60, 3600))
    forgotten = random.random() < 0.03
    _register(member, device, _mac(random), end if forgotten else registered, random)
    habit = make_habit(settings, index, joined, end)
    add_earlier_visits(settings, member, joined, habit)
    add_activities(settings, member, [(max(start, joined), end)], frozenset(), habit)
    member.exercises, member.workouts = [], []
    return member


def _profile(
    settings: Settings, index: int, random: np.random.Generator
) -> tuple[Profile, ZoneInfo, int]:
    """A profile, some fields of which are missing for some members, and true zone and age."""
    age = int(np.clip(random.normal(39, 14), 15, 91))
    born = date(1970, 1, 1) + timedelta(
        days=settings.start_s // DAY_SECONDS - age * 366 - int(random.integers(0, 330))
    )
    sex = "F" if random.random() < 0.52 else "M"
    gender = sex if random.random() < 0.96 else "X"
    city = pick(places.cities_near(places.gyms_of(settings)), random)
    first_name, last_name = pick(names.FIRST_NAMES, random), pick(names.LAST_NAMES, random)
    address = _address(city, random)
    profile = Profile(first_name, last_name, born, sex, gender, *address)
    missing = random.random()
    if index % 12 == 7 or missing < 0.03:
        profile = replace(profile, born=None)
    elif (index % 12 == 9 or missing < 0.06) and settings.until is None:
        # Gold dates them by UTC, which in the evening is a day ahead of all others.
        profile = replace(profile, street_address=None, city=None, state=None, zip_code=None)
    elif missing < 0.09:
        profile = replace(profile, sex=None, gender=None)
    return profile, places.zone_of(city[1]), age


def _address(city: places.City, random: np.random.Generator) -> tuple[str, str, str, int]:
    name, state, least, greatest = city
    street = f"{int(random.integers(1, 9900))} {pick(names.STREETS, random)}"
    return street, name, state, int(random.integers(least, greatest + 1))


def _moved(profile: Profile, zone: ZoneInfo, random: np.random.Generator) -> Profile:
    """The profile after an ordinary change; one in eight changes nothing. Nobody moves to another
    time zone: gold would then date all of the member's days by the new clock."""
    kind = int(random.integers(8))
    if kind <= 3:
        near = [city for city in names.CITIES if places.zone_of(city[1]) == zone]
        street, city, state, zip_code = _address(pick(near, random), random)
        return replace(profile, street_address=street, city=city, state=state, zip_code=zip_code)
    if kind <= 5:
        return replace(profile, last_name=pick(names.LAST_NAMES, random))
    if kind == 6:
        return replace(profile, gender="X" if profile.gender != "X" else profile.sex)
    return profile


def _changes(
    settings: Settings, member: Member, profile: Profile, joined: int, quirks: frozenset[str]
) -> list[tuple[int, int]]:
    """Fill `member.changes`; gives the absences [deleted, back) in seconds."""
    random = settings.random("changes", member.index)
    start, end = places.days_of(settings, member.zone)
    at_ms = joined * 1000 + int(random.integers(1000))
    current = profile
    member.changes.append(_change(member, "new", at_ms, current, random))

    absences: list[tuple[int, int]] = []
    if "delete" in quirks:
        # Late on the last evening, when all visits are over.
        absences = [(end - 6000, end - 2400)]
    elif random.random() < 1 - 0.9995**settings.days:
        gone = int(random.uniform(max(start, joined), end))
        back = gone + int(random.uniform(0.1, 20) * DAY_SECONDS)
        absences = [(gone, back if random.random() < 0.5 and back < end else end)]

    days = (end - max(joined, start - 30 * DAY_SECONDS)) / DAY_SECONDS
    times = sorted(
        int(random.uniform(end - days * DAY_SECONDS, end) * 1000)
        for _ in range(int(random.poisson(0.015 * days)))
    )
    if "quick_changes" in quirks:
        first = (start + (end - start) // 2) * 1000 + 250
        times = sorted([*times, first, first + 11_000, first + 107_000])
    moves: list[tuple[int, str]] = [(t, "update") for t in times if t > at_ms + 60_000]
    for gone, back in absences:
        moves.append((gone * 1000 + 500, "delete"))
        if back < end:
            moves.append((back * 1000 + 125, "new"))
    used = {at_ms}
    deleted = False
    for moment, kind in sorted(moves):
        if moment in used or (kind == "update" and deleted):
            continue
        used.add(moment)
        deleted = kind == "delete"
        if kind == "delete":
            member.changes.append(_change(member, "delete", moment, None, random))
        else:
            current = _moved(current, member.zone, random)
            action: Literal["new", "update"] = "new" if kind == "new" else "update"
            member.changes.append(_change(member, action, moment, current, random))
    return absences


def _change(
    member: Member,
    kind: Literal["new", "update", "delete"],
    at_ms: int,
    profile: Profile | None,
    random: np.random.Generator,
) -> Change:
    """A change arrives within seconds, now and then hours later and so out of order."""
    delay = int(random.uniform(200, 4000))
    if random.random() < 0.04:
        delay += int(random.uniform(1, 30) * _HOUR * 1000)
    return Change(member.user_id, kind, at_ms, at_ms + delay, profile)


def _present(first: int, end: int, absences: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """The complement of the absences in [first, end)."""
    spans, at = [], first
    for gone, back in absences:
        if gone > at:
            spans.append((at, gone))
        at = max(at, back)
    if at < end:
        spans.append((at, end))
    return spans


def _mac(random: np.random.Generator) -> str:
    """A locally administered unicast address, in lower case."""
    return ":".join(["02", *(f"{int(n):02x}" for n in random.integers(0, 256, 5))])


def _devices(
    settings: Settings,
    member: Member,
    joined: int,
    absences: Sequence[tuple[int, int]],
    quirks: frozenset[str],
) -> None:
    """Registrations and the times of wearing: first device, swap, second device, return.

    Ids: the device of member i is FIRST_DEVICE_ID + 10·i, further ones count on from there.
    """
    random = settings.random("devices", member.index)
    start, end = places.days_of(settings, member.zone)
    device = FIRST_DEVICE_ID + 10 * member.index
    first = max(start, joined)
    registered = joined + int(random.uniform(60, 3600))
    if "late_registration" in quirks:
        # Worn from the first second on, registered some hours later.
        registered = start + int(0.3 * (end - start))
    elif member.index >= len(QUIRKS) and random.random() < 0.04:
        registered = first + int(random.uniform(2, 30) * _HOUR)
    mac = _mac(random)
    _register(member, device, mac, registered, random)
    since = first

    swaps = "swap" in quirks or random.random() < 1 - 0.995**settings.days
    if swaps:
        share = 0.4 if "swap" in quirks else random.uniform(0.1, 0.9)
        swapped = since + int(share * (end - since))
        member.wears.append(Wear(str(device), since, swapped))
        device, mac, since = device + 1, _mac(random), swapped
        _register(member, device, mac, swapped - int(random.uniform(0, 900)), random)
    if "two_devices" in quirks or random.random() < 0.08:
        second, when = device + 1, max(joined, start - DAY_SECONDS) + int(random.uniform(0, 3600))
        _register(member, second, _mac(random), when, random)
        member.wears.append(Wear(str(second), when, end, secondary=True))
    for gone, back in absences:
        member.wears.append(Wear(str(device), since, gone))
        since = back
        if back < end:
            _register(member, device, mac, back + int(random.uniform(60, 1200)), random)
    if since < end:
        member.wears.append(Wear(str(device), since, end))


def _register(
    member: Member, device: int, mac: str, at_s: int, random: np.random.Generator
) -> None:
    delay = int(random.uniform(1, 1800) * 1000)
    member.registrations.append(
        Registration(member.user_id, str(device), mac, at_s, at_s * 1000 + delay)
    )


def _hand_on(settings: Settings, members: list[Member]) -> None:
    """Some swapped devices go on to another member, who wears them from then on in exercise."""
    for giver in members:
        own = [w for w in giver.wears if not w.secondary]
        if len(members) < 2 or len(own) < 2 or own[0].device_id == own[1].device_id:
            continue
        random = settings.random("hand-on", giver.index)
        forced = "swap" in quirks_of(giver.index, settings.users)
        if not forced and random.random() < 0.5:
            continue
        taker = members[(giver.index + 1) % len(members)]
        end = own[-1].end_s
        left = end - own[0].end_s
        at_s = own[0].end_s + max(1, int(left * (0.2 if forced else random.uniform(0.05, 0.8))))
        mac = next(r.mac_address for r in giver.registrations if r.device_id == own[0].device_id)
        _register(taker, int(own[0].device_id), mac, at_s, random)
        taker.wears.append(Wear(own[0].device_id, at_s, end, secondary=True))
