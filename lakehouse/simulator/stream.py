"""The events of a simulation in the order in which they reach Kafka, in blocks.

Readings are many: they stay in arrays, day by day, until they are written down. Everything else,
dirt included, is merged between them.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count

import numpy as np

from lakehouse.envelopes import Envelope
from lakehouse.home import TOPICS
from lakehouse.simulator.dirty_records import Kind, Sent, losing, topic_kinds
from lakehouse.simulator.members import Member
from lakehouse.simulator.physiology import Integers
from lakehouse.simulator.plan import make_plan, now_ms
from lakehouse.simulator.readings import Readings, readings_of
from lakehouse.simulator.records import Record, plain, reading, small_records
from lakehouse.simulator.settings import DAY_SECONDS, Settings
from lakehouse.simulator.wearer import Wearer, make_wearer

_BLOCK = 10_000


@dataclass
class Tally:
    """What was sent: events by topic, dirt by `feed.kind`, bad records by (feed, reason)."""

    sent: Counter[str] = field(default_factory=Counter)
    dirt: Counter[str] = field(default_factory=Counter)
    rejected: Counter[tuple[str, str]] = field(default_factory=Counter)

    def note(self, feed: str, name: str, reason: str | None, *, rejected: bool) -> None:
        """Count one use of a kind of dirt."""
        self.dirt[f"{feed}.{name}"] += 1
        if rejected and reason:
            self.rejected[feed, reason] += 1

    def add(self, other: Tally) -> None:
        """Take over the counts of another part of the same simulation."""
        self.sent.update(other.sent)
        self.dirt.update(other.dirt)
        self.rejected.update(other.rejected)


class Simulation:
    """The members of a simulation and their events."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.members: list[Member] = list(make_plan(settings))
        if settings.bpm is not None:
            self.members.append(make_wearer(settings, settings.bpm))
        self._now_ms = now_ms(settings)
        if self._now_ms is not None:
            for member in self.members:
                _forget_the_future(member, self._now_ms)
        self._kinds = {topic: topic_kinds(topic) for topic in TOPICS}

    def expected_events(self) -> int:
        """About how many events there are, for a progress bar."""
        worn = sum(len(m.times_s) if isinstance(m, Wearer) else 0 for m in self.members)
        days = sum(
            max(0, min(w.end_s, self.settings.end_s) - max(w.start_s, self.settings.start_s))
            for m in self.members
            if not isinstance(m, Wearer)
            for w in m.wears
            if not w.secondary
        )
        small = sum(len(m.changes) + len(m.workouts) for m in self.members)
        return int(
            (0.9 * days / self.settings.interval + worn + small) * (1 + 0.6 * self.settings.dirty)
        )

    def blocks(self, part: int, parts: int, tally: Tally) -> Iterator[list[Envelope]]:
        """The events of the members of one part, ascending in order of arrival.

        All parts together hold the same events whatever `parts` is.
        """
        members = [m for m in self.members if m.index % parts == part]
        if not members:
            return
        number = count()
        waiting = [
            (order, next(number), envelope) for order, envelope in self._small(part, parts, tally)
        ]
        first, last = self._days()
        late = Readings.concatenate([])
        for day_s in range(first, last, DAY_SECONDS):
            taken = [late]
            for member in members:
                readings = readings_of(self.settings, member, day_s)
                if self._now_ms is not None:
                    readings = readings.pick(readings.arrives_ms <= self._now_ms)
                if self.settings.dirty:
                    readings, odd = self._dirty_readings(member, day_s, readings, tally)
                    waiting += [(order, next(number), envelope) for order, envelope in odd]
                taken.append(readings)
            readings = Readings.concatenate(taken)
            until = (day_s + DAY_SECONDS) * 1000 if day_s + DAY_SECONDS < last else 2**62
            cut = int(np.searchsorted(readings.arrives_ms, until))
            late = readings.pick(np.arange(cut, len(readings)))
            waiting.sort()
            now = sum(1 for item in waiting if item[0] < until)
            block: list[Envelope] = []
            for piece in _merge(readings.pick(np.arange(cut)), waiting[:now]):
                block += piece
                if len(block) >= _BLOCK:
                    tally.sent.update(e.topic for e in block)
                    yield block
                    block = []
            waiting = waiting[now:]
            tally.sent.update(e.topic for e in block)
            if block:
                yield block

    def _days(self) -> tuple[int, int]:
        """First second of the first day and the end of the last one that has readings."""
        first, last = self.settings.start_s, self.settings.end_s
        for member in self.members:
            if isinstance(member, Wearer):
                start, end = int(member.times_s[0]), int(member.times_s[-1]) + 1
                if not self.settings.users:
                    first, last = start, end
                first, last = min(first, start), max(last, end)
        first -= first % DAY_SECONDS
        return first, last + -last % DAY_SECONDS

    def _small(self, part: int, parts: int, tally: Tally) -> Iterator[tuple[int, Envelope]]:
        """Profile changes and workouts of a part, with dirt and the ms by which to order them."""
        records = [(m, r) for m in self.members for r in small_records(m)]
        due = self._due(records) if self.settings.dirty else {}
        random = {}
        for at, (member, record) in enumerate(records):
            if member.index % parts != part:
                continue
            sure = due.get(at, [])
            if self.settings.dirty and not sure:
                if member.index not in random:
                    random[member.index] = self.settings.random("dirt", member.index)
                sure = self._drawn(record, random[member.index])
            for sent in self._spoilt(record, sure, tally):
                yield record.stamp_ms + sent.delay_ms, sent.envelope

    def _due(self, records: Sequence[tuple[Member, Record]]) -> dict[int, list[Kind]]:
        """Deals every kind out once: position of a record to the kinds that it takes."""
        due: dict[int, list[Kind]] = defaultdict(list)
        for topic in ("user_info", "workout"):
            places = [at for at, (_, r) in enumerate(records) if r.topic == topic]
            for n, kind in enumerate(self._kinds[topic]):
                # Start at another record each time, so that they spread.
                turned = [places[(n * 7 + k) % len(places)] for k in range(len(places))]
                fits = (at for at in turned if kind.applies(records[at][1]))
                lacking = (at for at in turned if kind.lacking in records[at][1].payload)
                at = next(fits, next(lacking, None))
                if at is not None:
                    due[at].append(kind)
        return due

    def _drawn(self, record: Record, random: np.random.Generator) -> list[Kind]:
        """Dirt at the rate asked for: no kind or one."""
        if random.random() >= self.settings.dirty:
            return []
        kinds = [k for k in self._kinds[record.topic] if not k.once and k.applies(record)]
        return [kinds[int(random.integers(len(kinds)))]]

    def _spoilt(self, record: Record, kinds: Sequence[Kind], tally: Tally) -> list[Sent]:
        """All that is sent for a record."""
        if not kinds:
            return [Sent(plain(record))]
        sent = []
        for kind in kinds:
            applies = kind.applies(record)
            sent += kind.make(record) if applies else losing(kind, record)
            tally.note(record.topic, kind.name, kind.reason, rejected=kind.outcome == "rejected")
        return sent

    def _dirty_readings(
        self, member: Member, day_s: int, readings: Readings, tally: Tally
    ) -> tuple[Readings, list[tuple[int, Envelope]]]:
        """Takes the rows that get dirt out of the arrays and writes them down."""
        random = self.settings.random("dirty-readings", member.index, day_s // DAY_SECONDS)
        rows = np.flatnonzero(random.random(len(readings)) < self.settings.dirty)
        chosen: dict[int, list[Kind]] = {}
        kinds = self._kinds["bpm"]
        if len(readings) and self._is_first(member, day_s):
            step = max(1, len(readings) // len(kinds))
            for n, kind in enumerate(kinds):
                chosen.setdefault(n * step % len(readings), []).append(kind)
        usual = [k for k in kinds if not k.once]
        drawn = random.integers(len(usual), size=len(rows))
        for row, kind_number in zip(rows.tolist(), drawn.tolist(), strict=True):
            chosen.setdefault(row, [usual[kind_number]])
        odd: list[tuple[int, Envelope]] = []
        for row, picked in chosen.items():
            record = reading(
                int(readings.device[row]),
                int(readings.time_s[row]),
                int(readings.bpm[row]),
                int(readings.arrives_ms[row]),
            )
            fitting = [k for k in picked if k.applies(record)]
            for sent in self._spoilt(record, fitting, tally):
                odd.append((record.stamp_ms + sent.delay_ms, sent.envelope))
        clean: Integers = np.setdiff1d(np.arange(len(readings)), np.array(list(chosen), np.int64))
        return readings.pick(clean), odd

    def _is_first(self, member: Member, day_s: int) -> bool:
        """Whether these are the first readings of the first member, which get every kind."""
        if member is not self.members[0]:
            return False
        if isinstance(member, Wearer):
            return day_s <= int(member.times_s[0]) < day_s + DAY_SECONDS
        return day_s == self.settings.start_s


def _forget_the_future(member: Member, now_ms: int) -> None:
    """Leave only what has arrived."""
    member.changes = [change for change in member.changes if change.arrives_ms <= now_ms]
    member.registrations = [row for row in member.registrations if row.arrives_ms <= now_ms]
    member.workouts = [event for event in member.workouts if event.arrives_ms <= now_ms]
    member.logins = [row for row in member.logins if row.arrives_ms <= now_ms]


def _merge(
    readings: Readings, small: Sequence[tuple[int, int, Envelope]]
) -> Iterator[list[Envelope]]:
    """Pieces of both in order of arrival; small events before readings of the same ms."""
    places = np.searchsorted(readings.arrives_ms, np.array([s[0] for s in small], np.int64))
    at = 0
    for place, (_, _, envelope) in zip(places.tolist(), small, strict=True):
        while at < place:
            until = min(place, at + _BLOCK)
            yield _written(readings, at, until)
            at = until
        yield [envelope]
    for start in range(at, len(readings), _BLOCK):
        yield _written(readings, start, min(start + _BLOCK, len(readings)))


def _written(readings: Readings, start: int, end: int) -> list[Envelope]:
    """Rows of the arrays as events, spelled as `plain` spells them."""
    return [
        Envelope("bpm", str(d), f'{{"device_id":{d},"time":{t},"heartrate":{b}}}', a)
        for a, t, b, d in zip(
            readings.arrives_ms[start:end].tolist(),
            readings.time_s[start:end].tolist(),
            readings.bpm[start:end].tolist(),
            readings.device[start:end].tolist(),
            strict=True,
        )
    ]
