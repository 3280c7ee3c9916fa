"""Each form of real heart rates by a small sample, and what is refused."""

from __future__ import annotations

import gzip
import json
import re
import zipfile
from collections.abc import Sequence
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from lakehouse.cli import main
from lakehouse.commands.replay import DeviceReadings
from lakehouse.envelopes import InputFileError
from lakehouse.heart_rate_files import Export, HeartRates, UnknownFormError, export, forms
from lakehouse.heart_rate_files.clock import zone_of
from lakehouse.home import WorkspaceError

FITABASE = "Id,Time,Value\r\n7,4/12/2016 7:21:00 AM,97\r\n7,4/12/2016 12:00:05 AM,102\r\n"
# Noon and midnight are where 12-hour clocks go wrong.
FITABASE_READINGS = [(1460445660, "97"), (1460419205, "102")]
TAKEOUT = [
    {"dateTime": "03/10/23 08:00:05", "value": {"bpm": 67, "confidence": 2}},
    {"dateTime": "03/10/23 23:59:59", "value": {"bpm": 70, "confidence": 1}},
]
TAKEOUT_READINGS = [(1678435205, "67"), (1678492799, "70")]
TAKEOUT_CSV = (
    "timestamp,beats per minute,data source\r\n"
    "2026-06-10T16:39:00Z,70,Fitbit Air\r\n"
    '2026-06-10T16:39:05Z,65.0,"Watch, α"\r\n'
)
TAKEOUT_CSV_READINGS = [(1781109540, "70"), (1781109545, "65.0")]
WEB_API = {
    "activities-heart": [{"dateTime": "2024-03-01", "value": {"restingHeartRate": 61}}],
    "activities-heart-intraday": {
        "dataset": [{"time": "10:00:00", "value": 64}, {"time": "10:01:00", "value": 65}],
        "datasetInterval": 1,
        "datasetType": "minute",
    },
}
WEB_API_READINGS = [(1709287200, "64"), (1709287260, "65")]
POINTS = [
    {
        "dataSource": {"platform": "FITBIT"},
        "heartRate": {
            "sampleTime": {"physicalTime": time, "utcOffset": "-25200s"},
            "beatsPerMinute": bpm,
        },
    }
    for time, bpm in (("2024-03-01T10:00:05.250Z", "66"), ("2024-03-01T11:00:00+01:00", 64))
]
HEALTH_API = {"dataPoints": POINTS, "nextPageToken": "x"}
HEALTH_API_READINGS = [(1709287205.25, "66"), (1709287200, "64")]


def written(path: Path, content: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def read_one(path: Path, zone: str | None = None, wearer: str | None = None) -> HeartRates:
    found = list(Export([path], ZoneInfo(zone) if zone else None, wearer).read())
    assert len(found) == 1
    return found[0]


def readings(rates: HeartRates) -> list[tuple[float, str]]:
    return [(us / 1e6, text) for us, text in zip(rates.times_us, rates.bpm_texts, strict=True)]


FORMS: dict[str, tuple[str, Sequence[tuple[float, str]]]] = {
    "Fitabase": (FITABASE, FITABASE_READINGS),
    "Fitabase, one participant": (
        "Time,Value\r\n10/5/2017 12:00:00 AM,64\r\n10/5/2017 12:01:00 PM,65\r\n",
        [(1507161600, "64"), (1507204860, "65")],
    ),
    "after R": (
        '"","Id","Time","Value"\n"1",7,"4/12/2016 7:21:00 AM",97\n"2",7,"2016-04-12",102.5\n',
        [(1460445660, "97"), (1460419200, "102.5")],
    ),
    "after R, write.csv2": ('"Id";"Time";"Value"\n7;"4/12/2016 7:21:00 AM";97\n',
                            [(1460445660, "97")]),
    "after Excel": ("Id,Time,Value\r\n7,4/12/2016 7:21,97\r\n7,4/12/16 19:21,98\r\n,,\r\n",
                    [(1460445660, "97"), (1460488860, "98")]),
    "after pandas": (",Id,Time,Value\n0,7,2016-04-12 07:21:00,97.0\n", [(1460445660, "97.0")]),
    "Takeout": (json.dumps(TAKEOUT, indent=2), TAKEOUT_READINGS),
    "Takeout, years of four digits": (
        json.dumps([{"dateTime": "2019-11-01 00:00:05", "value": {"bpm": 53}}]),
        [(1572566405, "53")],
    ),
    "Takeout's CSV": (TAKEOUT_CSV, TAKEOUT_CSV_READINGS),
    "Takeout's CSV of two columns": (
        "timestamp,beats per minute\n2024-10-27T00:00:04Z,65.0\n", [(1729987204, "65.0")]),
    "Web API": (json.dumps(WEB_API), WEB_API_READINGS),
    "Web API, over midnight": (
        json.dumps({
            "activities-heart": [{"dateTime": "2024-03-01"}, {"dateTime": "2024-03-02"}],
            "activities-heart-intraday": {"dataset": [
                {"time": "23:59:00", "value": 64}, {"time": "00:00:00", "value": 65}]},
        }),
        [(1709337540, "64"), (1709337600, "65")],
    ),
    "Health API": (json.dumps(HEALTH_API), HEALTH_API_READINGS),
    "Health API, pages one after another": (
        "\n".join(json.dumps({"dataPoints": [point]}) for point in POINTS), HEALTH_API_READINGS),
    "Health API, points alone": (json.dumps(POINTS), HEALTH_API_READINGS),
    "a list of answers": (json.dumps([WEB_API, WEB_API]), WEB_API_READINGS * 2),
}  # fmt: skip


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize("form", FORMS)
def test_forms(tmp_path: Path, form: str, zipped: bool) -> None:
    text, expected = FORMS[form]
    content = ("\ufeff" + text).encode()
    path = written(tmp_path / "f", gzip.compress(content) if zipped else content)
    assert readings(read_one(path)) == expected


def test_heart_rates_stay_as_they_are_spelled(tmp_path: Path) -> None:
    spelled = ["67.9", "67", "6.79E+1", "67.90000000000000000001"]
    entries = (f'{{"dateTime":"03/10/23 08:00:05","value":{{"bpm":{s}}}}}' for s in spelled)
    path = written(tmp_path / "f.json", f"[{','.join(entries)}]")
    assert read_one(path).bpm_texts == spelled
    assert read_one(path).bpm.tolist() == [68, 67, 68, 68]  # the simulator's are whole


def test_readings_of_confidence_0_are_left_out_and_counted(tmp_path: Path) -> None:
    not_worn = {"dateTime": "03/10/23 09:00:00", "value": {"bpm": 70, "confidence": 0}}
    path = written(tmp_path / "f.json", json.dumps([not_worn, *TAKEOUT, not_worn]))
    source = Export([path])
    assert [readings(rates) for rates in source.read()] == [TAKEOUT_READINGS]
    assert source.not_worn == 2
    assert "left out, readings of confidence 0 (not worn): 2" in DeviceReadings(source, "d").notes()


AUTUMN = ["0:59:55", "1:00:00", "1:59:55", "1:00:00", "1:30:00", "1:29:59", "2:00:00"]
AUTUMN_UTC = [4 * 3600 + 3595, 5 * 3600, 5 * 3600 + 3595, 6 * 3600, 6 * 3600 + 1800,
              6 * 3600 + 1799, 7 * 3600]  # fmt: skip
MIDNIGHT = 1730592000  # 2024-11-03, the end of daylight saving in New York, in UTC


@pytest.mark.parametrize("newest_first", [False, True])
def test_the_hour_that_comes_twice(tmp_path: Path, newest_first: bool) -> None:
    order = slice(None, None, -1 if newest_first else 1)
    lines = "".join(f"11/3/2024 {time} AM,60\n" for time in AUTUMN[order]).replace(" 0:", " 12:")
    path = written(tmp_path / "f.csv", f"Time,Value\n{lines}")
    expected = [MIDNIGHT + second for second in AUTUMN_UTC[order]]
    assert [time for time, _ in readings(read_one(path, "America/New_York"))] == expected


def test_time_zones_are_of_times_that_name_none(tmp_path: Path) -> None:
    def first(text: str) -> float:
        return readings(read_one(written(tmp_path / "f", text), "America/New_York"))[0][0]

    assert first(FITABASE) == FITABASE_READINGS[0][0] + 4 * 3600
    assert first(json.dumps(WEB_API)) == WEB_API_READINGS[0][0] + 5 * 3600
    # The clock skipped it: taken as of a watch not yet put forward.
    assert first("Time,Value\n3/10/2024 2:30:00 AM,60\n") == 1710055800
    # These are UTC, whether they say so or not.
    assert first(json.dumps(TAKEOUT)) == TAKEOUT_READINGS[0][0]
    assert first(TAKEOUT_CSV) == TAKEOUT_CSV_READINGS[0][0]
    assert first(json.dumps(HEALTH_API)) == HEALTH_API_READINGS[0][0]
    for name in ("Mars/Olympus", "America", "../etc/passwd", ""):
        with pytest.raises(WorkspaceError, match="IANA"):
            zone_of(name)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "f: the file is empty; known are"),
        ("a,b\n1,2\n", "known are Google Takeout"),
        ("Time,Time,Value\n", "known are"),
        ("PK\x03\x04", "cannot be read: File is not a zip file"),
        ('{"topic":"bpm","value":"x"}\n', "replayed without --device"),
        ('{"dataPoints":[{"steps":{"count":"8"}}]}', "known are"),
        ('{"rollupDataPoints":[{"heartRate":{"beatsPerMinuteAvg":66}}]}', "known are"),
        ("[" * 100_000, "known are"),
        ("[{]", ":1: broken JSON"),
        (FITABASE + "7,13/12/2016 7:21:00 AM,97\n", ":4: no reading .there is no time '13/12"),
        (FITABASE + "7,4/12/2016 7:21:61 AM,97\n", ":4: no reading"),
        (FITABASE + "7,4/12/2016 13:21:00 PM,97\n", ":4: no reading"),
        (FITABASE + "7,4/12/1816 7:21:00 AM,97\n", ":4: .*outside of 1970 to 9999"),
        (FITABASE + "\n7,4/12/2016 7:21:00 AM,x\n", ":5: .*no finite number"),
        (FITABASE + "7,4/12/2016 7:21:00 AM,NaN\n", ":4: .*no finite number"),
        (FITABASE + "7,4/12/2016 7:21:00 AM,\n", ":4: .*no finite number"),
        (FITABASE + "7,4/12/2016 7:21:00 AM,97,5\n", ":4: .*4 fields under 3 names"),
        (FITABASE + "7,4/12/2016 7:21:00 AM\n", ":4: no reading"),
        (FITABASE + '7,"4/12/2016 7:21:00 AM,97\n', ":4: no reading"),
        (FITABASE + "2.02E+09,4/12/2016 7:21:00 AM,97\n", ":4: .*rounded the Id"),
        (FITABASE + "8,4/12/2016 7:21:00 AM,97\n", "2 wearers .7, 8.: .*--wearer"),
        (json.dumps([*TAKEOUT, {"dateTime": "x", "value": {"bpm": 1}}]), "entry 3"),
        (json.dumps([*TAKEOUT, {"dateTime": 5, "value": {"bpm": 1}}]), "entry 3"),
        (json.dumps([*TAKEOUT, {"dateTime": "03/10/23 08:00:05"}]), "entry 3"),
        (json.dumps([*TAKEOUT, 5]), "entry 3"),
        (json.dumps([WEB_API, {"activities-heart-intraday": {"dataset": [{}]}}]), "entry 3"),
        (json.dumps(WEB_API).replace("2024-03-01", "today"), "entry 1 .*'today 10:00:00'"),
        (json.dumps([WEB_API, TAKEOUT]), "two forms"),
        (json.dumps({"dataPoints": [*POINTS, {"heartRate": {}}]}), "entry 3"),
    ],
)
def test_faults_say_where(tmp_path: Path, text: str, what: str) -> None:
    path = written(tmp_path / "f", text)
    with pytest.raises(InputFileError, match=what) as caught:
        list(Export([path]).read())
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    "bpm", ["true", "null", "Infinity", "-Infinity", "NaN", "1e400", '"67"', "[67]", "{}"]
)
def test_what_is_no_finite_number_refuses_the_file(tmp_path: Path, bpm: str) -> None:
    text = json.dumps([*TAKEOUT, {"dateTime": "03/10/23 08:00:05", "value": {"bpm": "?"}}])
    path = written(tmp_path / "f.json", text.replace('"?"', bpm))
    with pytest.raises(InputFileError, match=r"f\.json: entry 3 .*no finite number"):
        list(Export([path]).read())


def test_one_of_several_wearers(tmp_path: Path) -> None:
    many = written(tmp_path / "many.csv", FITABASE + "8,4/12/2016 7:21:00 AM,61\n")
    assert readings(read_one(many, wearer="8")) == [(1460445660, "61")]
    one = "Time,Value\n4/12/2016 7:21:00 AM,62\n"
    for participant in ("8", "9"):
        name = f"ID {participant}_heartrate_1min_20160412_20160413.csv"
        written(tmp_path / "each" / name, one)
    with pytest.raises(InputFileError, match=r"2 wearers \(8, 9\)"):
        list(Export([tmp_path / "each"]).read())
    source = Export([tmp_path / "each"], wearer="9")
    assert [readings(rates) for rates in source.read()] == [[], [(1460445660, "62")]]
    assert len(source.empty) == 1


def exported(folder: Path) -> Path:
    """An export as Takeout makes it: other things, files without a reading, resting rates."""
    inner = folder / "Takeout" / "Google Health"
    activity = inner / "Physical Activity_GoogleData"
    written(activity / "heart_rate_2026-06-10.csv", TAKEOUT_CSV)
    written(activity / "heart_rate_2026-06-11.csv", "no data")
    written(activity / "heart_rate_2026-06-12.csv", "timestamp,beats per minute,data source\n")
    written(activity / "daily_resting_heart_rate.csv", TAKEOUT_CSV)
    written(activity / "steps_2026-06-10.csv", "timestamp,steps\n2026-06-10T16:39:00Z,8\n")
    json_folder = inner / "Global Export Data"
    written(json_folder / "heart_rate-2023-03-10.json", json.dumps(TAKEOUT))
    written(json_folder / "heart_rate-2023-03-11.json", "[]")
    written(json_folder / "steps-2023-03-10.json",
            json.dumps([{"dateTime": "03/10/23 08:00:05", "value": "8"}]))  # fmt: skip
    written(json_folder / "broken.json", '{"a":')
    written(json_folder / "resting_heart_rate-2023-03-10.json",
            json.dumps([{"dateTime": "03/10/23 00:00:00", "value": {"value": 61}}]))  # fmt: skip
    written(folder / "Takeout" / "photo.jpg", bytes(range(256)) * 400)
    written(folder / "Takeout" / "archive_browser.html", "<html></html>")
    return folder / "Takeout"


def zipped(folder: Path) -> Path:
    path = folder.parent / "takeout.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.rglob("*")):
            archive.write(file, file.relative_to(folder.parent))
    return path


@pytest.mark.parametrize("as_zip", [False, True])
def test_folders_and_zips(tmp_path: Path, as_zip: bool) -> None:
    folder = exported(tmp_path)
    source = Export([zipped(folder) if as_zip else folder])
    found = [pair for rates in source.read() for pair in readings(rates)]
    assert found == TAKEOUT_READINGS + TAKEOUT_CSV_READINGS
    assert [Path(name).name for name in source.empty] == [
        "heart_rate-2023-03-11.json",
        "resting_heart_rate-2023-03-10.json",
        "daily_resting_heart_rate.csv",
        "heart_rate_2026-06-11.csv",
        "heart_rate_2026-06-12.csv",
    ]
    assert source.others == 5
    assert len(DeviceReadings(source, "d").notes()) == 6
    assert list(source.read())
    assert source.others == 5  # counted anew


def test_a_zip_in_a_folder_and_gzip_in_a_zip(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    with zipfile.ZipFile(tmp_path / "in" / "x.zip", "w") as archive:
        archive.writestr("f.csv.gz", gzip.compress(FITABASE.encode()))
    assert readings(read_one(tmp_path / "in")) == FITABASE_READINGS


def test_an_export_without_heart_rates_is_refused(tmp_path: Path) -> None:
    written(tmp_path / "in" / "steps.csv", "timestamp,steps\n")
    with pytest.raises(InputFileError, match="no file in it holds heart rates; known are"):
        list(Export([tmp_path / "in"]).read())
    resting = written(tmp_path / "daily_resting_heart_rate.csv", TAKEOUT_CSV)
    with pytest.raises(UnknownFormError, match="resting rates"):
        list(Export([resting]).read())


def test_a_wrong_reading_in_an_export_names_file_and_entry(tmp_path: Path) -> None:
    folder = exported(tmp_path)
    broken = json.dumps(TAKEOUT).replace("70", "true")
    written(folder / "Google Health" / "Global Export Data" / "heart_rate-x.json", broken)
    with pytest.raises(InputFileError, match=r"takeout\.zip/.*heart_rate-x\.json: entry 2 .*true"):
        list(Export([zipped(folder)]).read())


@pytest.mark.parametrize("name", ["MOST_FILE_BYTES", "MOST_ZIP_BYTES"])
def test_what_unpacks_to_too_much_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(export, name, 1 << 20)
    bomb = (FITABASE + "7,4/12/2016 7:21:00 AM,97\n" * 100_000).encode()
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("f.csv", bomb)
    with pytest.raises(InputFileError, match=r"bomb\.zip/f\.csv: unpacked"):
        list(Export([tmp_path / "bomb.zip"]).read())
    if name == "MOST_FILE_BYTES":
        with pytest.raises(InputFileError, match=r"bomb\.csv\.gz: unpacked"):
            list(Export([written(tmp_path / "bomb.csv.gz", gzip.compress(bomb))]).read())


def test_json_and_lines_without_end_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forms, "MOST_JSON_BYTES", 100_000)
    path = written(tmp_path / "f.json", json.dumps(TAKEOUT * 2000))
    with pytest.raises(InputFileError, match="split it first"):
        list(Export([path]).read())
    monkeypatch.setattr("lakehouse.envelopes._MOST_LINE_BYTES", 100_000)
    path = written(tmp_path / "f.csv", FITABASE + "7" * 200_000)
    with pytest.raises(InputFileError, match=r"f\.csv:4: the line is longer"):
        list(Export([path]).read())


def test_broken_archives(tmp_path: Path) -> None:
    folder = exported(tmp_path)
    content = bytearray(zipped(folder).read_bytes())
    content[content.index(b"heart_rate_2026-06-10.csv") + 40] ^= 255
    with pytest.raises(InputFileError, match=r"heart_rate_2026-06-10\.csv: cannot be read"):
        list(Export([written(tmp_path / "a.zip", bytes(content))]).read())
    packed = bytearray(gzip.compress(FITABASE.encode() * 500))
    packed[30] ^= 255
    with pytest.raises(InputFileError, match="cannot be read"):
        list(Export([written(tmp_path / "a.gz", bytes(packed))]).read())


def test_readings_as_events_of_a_device(tmp_path: Path) -> None:
    path = written(tmp_path / "f.json", json.dumps(HEALTH_API))
    events = list(DeviceReadings(Export([path]), "12474").events())
    assert [e.timestamp for e in events] == [1709287205250, 1709287200000]
    assert {(e.topic, e.key) for e in events} == {("bpm", "12474")}
    assert events[0].value == '{"device_id":"12474","time":1709287205.25,"heartrate":66}'
    assert events[1].value == '{"device_id":"12474","time":1709287200,"heartrate":64}'


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (["--time-zone", "UTC", "f"], "give --device"),
        (["--wearer", "7", "f"], "give --device"),
        (["."], "is a folder: exports of heart rates need --device"),
        (["--device", " ", "--bootstrap", "localhost:1", "f"], "the id of a device"),
        (["--device", "d", "--bootstrap", "localhost:1", "f"], "f: there is no such file"),
        (["--device", "d", "--bootstrap", "localhost:1", "--time-zone", "X", "f"], "IANA"),
        (["--bootstrap", "localhost:1", "f"], "f: there is no such file"),
    ],
)
def test_refusals_of_the_command(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    what: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LAKEHOUSE_HOME", str(tmp_path / "home"))
    assert main(["replay", *arguments]) == 1
    assert re.search(what, capsys.readouterr().err)
