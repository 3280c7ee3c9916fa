"""Publishing over a real broker: exactly what was given."""

from __future__ import annotations

import gzip
import json
import random
import re
from collections import Counter
from pathlib import Path

import pytest
from kafka import KafkaAdminClient, KafkaConsumer
from kafka.admin import NewTopic
from kafka.structs import TopicPartition

from lakehouse import kafka
from lakehouse.envelopes import Envelope, Nested, read_file, to_line
from lakehouse.home import TOPICS, WorkspaceError
from lakehouse.producer import Publisher, PublishError
from lakehouse.simulator.settings import Settings
from lakehouse.simulator.stream import Simulation, Tally
from tests.support import Workspace

pytestmark = pytest.mark.drill

# Other tests use the topics too: each one looks at what it added.


def ends(workspace: Workspace) -> dict[TopicPartition, int]:
    consumer = KafkaConsumer(**kafka.client_options(workspace.home))
    try:
        places = [TopicPartition(t, p) for t in TOPICS for p in consumer.partitions_for_topic(t)]
        found: dict[TopicPartition, int] = consumer.end_offsets(places)
        return found
    finally:
        consumer.close()


def published_since(workspace: Workspace, before: dict[TopicPartition, int]) -> list[Envelope]:
    """Records behind `before`, partition by partition in their order."""
    after = ends(workspace)
    consumer = KafkaConsumer(**kafka.client_options(workspace.home))
    found: list[Envelope] = []
    try:
        for place, end in after.items():
            consumer.assign([place])
            consumer.seek(place, before.get(place, 0))
            while consumer.position(place) < end:
                for records in consumer.poll(timeout_ms=500).values():
                    found += [
                        Envelope(
                            r.topic,
                            None if r.key is None else r.key.decode(),
                            None if r.value is None else r.value.decode(),
                            r.timestamp,
                            tuple(r.headers),
                        )
                        for r in records
                    ]
    finally:
        consumer.close()
    return found


def acknowledged(output: str) -> int:
    found = re.search(r"([\d,]+) events acknowledged", output)
    assert found
    return int(found[1].replace(",", ""))


EVENTS = [
    Envelope("bpm", "1", '{"device_id":1}', 1_400_000_000_000),
    Envelope("user_info", "é", None, 1_400_000_000_001),
    Envelope("user_info", None, None, 1_400_000_000_002),
    Envelope("workout", None, "", 1_400_000_000_003),
    Envelope("workout", "", "  ", 1_400_000_000_004, (("h", b"v"), ("h", b""), ("h", None))),
    Envelope("bpm", '{"device_id":"1"}', "{}", 1_400_000_000_005),
    Envelope("bpm", "2", "x" * 900_000, 4_100_000_000_000),
    Nested("bpm", "3", '{ "device_id" : 12474.0 }', 0),
]


def test_replay_publishes_key_value_timestamp_and_headers(
    workspace: Workspace, tmp_path: Path
) -> None:
    before = ends(workspace)
    plain, zipped = tmp_path / "a.json", tmp_path / "b.json.gz"
    plain.write_text("".join(to_line(e) + "\n" for e in EVENTS[:4]), encoding="utf-8")
    zipped.write_bytes(gzip.compress("\n".join(to_line(e) for e in EVENTS[4:]).encode()))
    done = workspace.run("replay", plain, zipped)
    assert acknowledged(done.stdout) == len(EVENTS)
    assert Counter(published_since(workspace, before)) == Counter(EVENTS)


def test_nothing_is_sent_if_a_line_is_wrong(workspace: Workspace, tmp_path: Path) -> None:
    before = ends(workspace)
    (tmp_path / "a.json").write_text(to_line(EVENTS[0]) + "\n")
    (tmp_path / "b.json").write_text(to_line(EVENTS[0]) + '\n{"topic":"nowhere","value":"x"}\n')
    done = workspace.run("replay", tmp_path / "a.json", tmp_path / "b.json", check=False)
    assert done.returncode == 1
    assert "b.json:2:" in done.stderr
    assert "'nowhere'" in done.stderr
    assert ends(workspace) == before


def test_keys_keep_their_order_and_their_partition(workspace: Workspace) -> None:
    before = ends(workspace)
    sent = [Envelope("bpm", f"order-{n % 7}", str(n), 1_400_000_000_000 + n) for n in range(5000)]
    with Publisher(kafka.client_options(workspace.home), ["bpm"]) as publisher:
        publisher.send(sent)
        assert publisher.flush() == 5000
    got = published_since(workspace, before)
    for key in {e.key for e in sent}:
        assert [e for e in got if e.key == key] == [e for e in sent if e.key == key]


@pytest.mark.parametrize("processes", [1, 2])
def test_simulate_publishes_and_lands_all_of_it(workspace: Workspace, processes: int) -> None:
    settings = Settings(users=3, days=1, seed=processes, interval=200, dirty=0.05)
    simulation, tally = Simulation(settings), Tally()
    expected = Counter(Envelope(*e) for block in simulation.blocks(0, 1, tally) for e in block)
    before = ends(workspace)
    landed = {feed: set((workspace.home.landing / feed).iterdir())
              for feed in ("registered_users", "gym_logins")}  # fmt: skip
    done = workspace.run(
        *("simulate", "--users", "3", "--days", "1", "--seed", str(processes)),
        *("--interval", "200", "--dirty", "0.05", "--processes", str(processes)),
    )
    assert acknowledged(done.stdout) == expected.total()
    assert Counter(published_since(workspace, before)) == expected
    for feed, old in landed.items():
        new = set((workspace.home.landing / feed).iterdir()) - old
        assert {".csv", ".ndjson"} <= {"." + path.name.split(".")[1] for path in new}


def test_files_written_by_out_replay_to_the_same_events(
    workspace: Workspace, tmp_path: Path
) -> None:
    options = ("--users", "2", "--days", "1", "--seed", "3", "--interval", "300", "--dirty", "0.1")
    workspace.run("simulate", *options, "--out", tmp_path / "out")
    paths = sorted((tmp_path / "out").glob("envelopes-*.json"))
    expected = Counter(e for path in paths for e in read_file(path, TOPICS))
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert expected.total() == sum(manifest["records"][topic] for topic in TOPICS)
    before = ends(workspace)
    done = workspace.run("replay", *paths)
    assert acknowledged(done.stdout) == expected.total()
    assert Counter(published_since(workspace, before)) == expected


def test_records_of_kcat_are_published_as_they_were(workspace: Workspace, tmp_path: Path) -> None:
    before = ends(workspace)
    (tmp_path / "kcat.ndjson").write_text(
        '{"topic":"bpm","partition":0,"offset":0,"tstype":"create","ts":1709287200000,"broker":1,'
        '"headers":["trace","a1","none",null],"key":"d","payload":"{\\"device_id\\":\\"d\\"}"}\n'
        '{"topic":"bpm","key":{"id" : 1},"value":null,"timestamp":1709287200,"headers":{"n":7}}\n'
    )
    workspace.run("replay", tmp_path / "kcat.ndjson")
    headers = (("trace", b"a1"), ("none", None))
    assert Counter(published_since(workspace, before)) == Counter(
        [
            Envelope("bpm", "d", '{"device_id":"d"}', 1709287200000, headers),
            Envelope("bpm", '{"id" : 1}', None, 1709287200000, (("n", b"7"),)),
        ]
    )


@pytest.mark.parametrize(
    ("name", "content", "arguments", "what"),
    [
        ("a.json", '{"topic":"bpm","value":"x","timestamp":1709287200000000000}\n', (),
         r"a\.json:2: the timestamp 1709287200000000000 lies outside of 1970 to 9999"),
        ("a.csv", "2016-04-12 07:21:05,Infinity\n", ("--device", "d"),
         r"a\.csv:3: no reading \(the heart rate is no finite number\)"),
    ],
)  # fmt: skip
def test_nothing_of_a_refused_file_is_sent(
    workspace: Workspace,
    tmp_path: Path,
    name: str,
    content: str,
    arguments: tuple[str, ...],
    what: str,
) -> None:
    before = ends(workspace)
    good = "Time,Value\n2016-04-12 07:21:00,97\n" if arguments else to_line(EVENTS[0]) + "\n"
    (tmp_path / name).write_text(good + content)
    done = workspace.run("replay", *arguments, tmp_path / name, check=False)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert re.search(what, line)
    assert ends(workspace) == before


def test_replay_of_real_heart_rates(workspace: Workspace, tmp_path: Path) -> None:
    before = ends(workspace)
    sample = Path("samples/heartrate_seconds_2016-04-26.csv.gz")
    empty = tmp_path / "heart_rate_2016-04-27.csv"
    empty.write_text("timestamp,beats per minute\n")
    done = workspace.run("replay", "--device", "900001", sample, empty)
    assert acknowledged(done.stdout) == 5586
    assert done.stdout.splitlines()[1:] == [f"passed over, without a reading: {empty}"]
    got = published_since(workspace, before)
    assert len(got) == 5586
    assert {(e.topic, e.key) for e in got} == {("bpm", "900001")}
    assert got[0].timestamp == json.loads(got[0].value or "")["time"] * 1000


def test_a_refused_event_is_told_with_the_counts(workspace: Workspace) -> None:
    """A topic that takes small messages only: the events before the big one are counted."""
    admin = KafkaAdminClient(**kafka.client_options(workspace.home))
    try:
        small = NewTopic("small", 1, 1, topic_configs={"max.message.bytes": "2000"})
        admin.create_topics([small])
        # Random, so that compression does not bring it below the limit.
        big = "".join(random.Random(1).choices("abcdefghijklmnopqrstuvwxyz0123456789", k=20_000))
        with (
            pytest.raises(PublishError, match=r"event 4 .*3 events were acknowledged"),
            Publisher(kafka.client_options(workspace.home), ["small"]) as publisher,
        ):
            publisher.send(Envelope("small", "k", str(n)) for n in range(3))
            publisher.flush()
            publisher.send([Envelope("small", "k", big)])
            publisher.flush()
    finally:
        admin.delete_topics(["small"])
        admin.close()


def test_missing_topic_and_missing_broker(workspace: Workspace) -> None:
    with pytest.raises(WorkspaceError, match="no topic nowhere"):
        Publisher(kafka.client_options(workspace.home), ["nowhere"])
    with pytest.raises(WorkspaceError, match="lakehouse up"):
        Publisher({"bootstrap_servers": f"127.0.0.1:{workspace.home.base_port + 7}"}, ["bpm"])
