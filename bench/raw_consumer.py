"""Kafka's own measuring consumer: how fast the JVM's client reads and drops records."""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path

from bench.results import Unequal
from local import jars, kafka
from local.home import Home
from local.java import find_java

_MAIN_CLASS = "org.apache.kafka.tools.ConsumerPerformance"


def run(home: Home, topic: str, records: int) -> float:
    """Seconds that it takes for the first `records` of a topic, joining its group included.

    Raises Unequal if it read fewer.
    """
    found = jars.resolve()
    class_path = [_tools_jar(), *found.kafka_jars()]
    command = [
        *(str(find_java().path), "-Xmx512m", "-cp", os.pathsep.join(map(str, class_path))),
        *(_MAIN_CLASS, "--bootstrap-server", home.kafka_bootstrap, "--topic", topic),
        *("--consumer.config", str(kafka.client_file(home))),
        *("--messages", str(records), "--hide-header", "--timeout", "60000"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    # start, end, MB, MB/s, records, records/s, ms of joining, ms of fetching, MB/s, records/s
    numbers = done.stdout.strip().splitlines()[-1].split(", ")
    read, joining, fetching = int(numbers[4]), int(numbers[6]), int(numbers[7])
    if read < records:
        raise Unequal(f"Kafka's consumer read {read} of {records} records")
    return (joining + fetching) / 1000 * records / read


def _tools_jar() -> Path:
    """Kafka's tools at the broker's revision, which the workspace does not need: fetched once."""
    revision = next(r for _, name, r in jars.KAFKA_MODULES if name.startswith("kafka_"))
    folder = jars.cache_folder().parent / "bench"
    target = folder / f"kafka-tools-{revision}.jar"
    if not target.exists():
        ivy = next((jars.pyspark_folder() / "jars").glob("ivy-*.jar"))
        settings = os.environ.get("LAKEHOUSE_IVY_SETTINGS")
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as work:
            command = [
                *(str(find_java().path), "-jar", str(ivy)),
                *("-dependency", "org.apache.kafka", "kafka-tools", revision),
                *("-notransitive", "-confs", "default", "-cache", f"{work}/ivy"),
                *("-retrieve", f"{work}/[artifact]-[revision].[ext]"),
                *(("-settings", settings) if settings else ()),
            ]
            subprocess.run(command, capture_output=True, check=True)
            (Path(work) / target.name).replace(target)
    return target
