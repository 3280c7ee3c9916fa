"""The Spark JVM: Delta, the metastore and a Spark Connect server, with no Python inside.

One JVM owns the metastore (embedded Derby admits one) and every Delta commit, since a local
Delta log is only safe inside one JVM. Everybody else is a client of `Home.connect_url`.
"""

from __future__ import annotations

import os
import shlex
import shutil
import sys
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

from lakehouse import class_archive, log4j
from lakehouse.home import Home
from lakehouse.jars import Jars, pyspark_folder
from lakehouse.java import Java
from lakehouse.processes import Command

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

MAIN_CLASS = "org.apache.spark.sql.connect.service.SparkConnectServer"
HEAP = "2560m"

_LARGE_BRONZE_BYTES = 20_000_000
"""What bronze holds when Spark starts, about a million readings, from which on the JVM and what
comes past the SQL endpoint are set up for rows."""

# Planning a statement takes longer than running it where tables are small. What pays on large ones
# takes a third of the processor time then: Java code made for each plan, plans made anew while they
# run, and a task more, since each is sent with its whole plan. The SQL endpoint chooses by the
# tables of each statement (lakehouse/endpoint/sizes.py).
FOR_SMALL_TABLES = {
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
    "spark.sql.adaptive.enabled": "false",
    "spark.sql.shuffle.partitions": "1",
    "spark.databricks.delta.snapshotPartitions": "1",
    "spark.sql.files.minPartitionNum": "1",
}
FOR_LARGE_TABLES = {
    "spark.sql.codegen.wholeStage": "true",
    "spark.sql.codegen.factoryMode": "FALLBACK",
    "spark.sql.adaptive.enabled": "true",
    "spark.sql.shuffle.partitions": "2",
    "spark.databricks.delta.snapshotPartitions": "2",
    "spark.sql.files.minPartitionNum": "4",
}
# Nor does a collector beside the program pay.
_JVM_FOR_SMALL_TABLES = (
    "-XX:ReservedCodeCacheSize=256m",
    "-XX:+UseParallelGC",
    "-Dspark.default.parallelism=1",
    *(f"-D{key}={value}" for key, value in FOR_SMALL_TABLES.items()),
)

# What Hadoop looks for whenever it reads its settings, and what has no meaning here.
_UNUSED_SETTINGS = (
    "core-site.xml",
    *("hdfs-default.xml", "hdfs-site.xml"),
    *("mapred-default.xml", "mapred-site.xml"),
    *("yarn-default.xml", "yarn-site.xml"),
)

# What Spark's launcher would add (org.apache.spark.launcher.JavaModuleOptions of Spark 4.2).
_OPENED_PACKAGES = (
    *(
        "java.lang",
        "java.lang.invoke",
        "java.lang.reflect",
        "java.io",
        "java.net",
        "java.nio",
    ),
    *(
        "java.util",
        "java.util.concurrent",
        "java.util.concurrent.atomic",
        "jdk.internal.ref",
    ),
    *("sun.nio.ch", "sun.nio.cs", "sun.security.action", "sun.util.calendar"),
)

_FAIR_POOLS = """<?xml version="1.0"?>
<allocations>
  <pool name="default"><schedulingMode>FAIR</schedulingMode></pool>
</allocations>
"""

# They log errors only.
_QUIET_LOGGERS = (
    # Its table of versions is made with the metastore; the warnings say that it was not there.
    *("org.apache.hadoop.hive.metastore", "DataNucleus", "org.apache.hadoop.hive.conf.HiveConf"),
    # Where a table was made anew they print its former snapshot, with the least and greatest values
    # of its columns.
    "org.apache.spark.sql.delta.DeltaLog",
    "org.apache.spark.sql.delta.OptimisticTransaction",
)


def settings(home: Home) -> dict[str, str]:
    """Spark's configuration in this workspace: fixed, the same for every client."""
    return {
        "spark.app.name": "lakehouse",
        # Slots beyond the cores let short statements and micro-batches run beside the long tasks of
        # others, since a task keeps its slot to its end; more than 4 would not fit the heap.
        "spark.master": "local[4]",
        "spark.scheduler.mode": "FAIR",
        "spark.scheduler.allocation.file": f"file:{home.run}/fair-pools.xml",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.ui.enabled": "false",
        # Spark's ports for other executors: there are none here, and nobody else knows the secret,
        # which each start draws anew.
        "spark.authenticate": "true",
        "spark.local.dir": str(home.temporary),
        "spark.driver.maxResultSize": "1g",
        # Spark Connect.
        "spark.connect.grpc.binding.address": "127.0.0.1",
        "spark.connect.grpc.binding.port": str(home.connect_port),
        "spark.connect.grpc.port.maxRetries": "0",
        # Tables.
        "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
        "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
        "spark.sql.sources.default": "delta",
        # Delta's store for one JVM on local files: it renames a finished file under a lock. The
        # default one also starts a program to ask whether the file is a link, which was a tenth of
        # a build's processor time.
        "spark.delta.logStore.file.impl": "io.delta.storage.LocalLogStore",
        # Statements look for days: in files of a bounded number of rows by Delta's statistics, in a
        # file by those of Parquet's pages, which the default type of timestamps has none of.
        "spark.sql.files.maxRecordsPerFile": "500000",
        "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
        "spark.sql.warehouse.dir": f"file:{home.warehouse}",
        "spark.sql.catalogImplementation": "hive",
        "spark.hadoop.javax.jdo.option.ConnectionURL": (
            f"jdbc:derby:;databaseName={home.metastore}/db;create=true"
        ),
        "spark.hadoop.datanucleus.schema.autoCreateAll": "true",
        "spark.hadoop.hive.metastore.schema.verification": "false",
        # SQL as on a Databricks warehouse.
        "spark.sql.ansi.enabled": "true",
        # `${env:HOME}` in a literal is text, as it is there.
        "spark.sql.variable.substitute": "false",
        "spark.sql.session.timeZone": "UTC",
        # Small data on few cores: the defaults (200, 50 and, for the listing of folders by VACUUM,
        # 10,000) are for clusters.
        "spark.sql.shuffle.partitions": "2",
        "spark.databricks.delta.snapshotPartitions": "2",
        "spark.sql.sources.parallelPartitionDiscovery.parallelism": "4",
        "spark.default.parallelism": "2",
        # A workspace is worked on for days; the statements of a past hour are of no use.
        "spark.sql.ui.retainedExecutions": "20",
        "spark.ui.retainedJobs": "20",
        "spark.ui.retainedStages": "20",
        "spark.ui.retainedTasks": "1000",
        "spark.sql.streaming.numRecentProgressUpdates": "20",
    }


def prepare(home: Home, java: Java, jars: Jars) -> None:
    """Write the files that the JVM reads and clear the scratch space of a former one."""
    shutil.rmtree(home.temporary, ignore_errors=True)
    home.temporary.mkdir()
    (home.run / "fair-pools.xml").write_text(_FAIR_POOLS)
    logging = log4j.settings(home.logs / "spark", 20, _QUIET_LOGGERS)
    (home.run / "spark-log4j2.properties").write_text(logging)
    options = _options(home) + class_archive.options(home, "spark", java, _class_path(jars))
    (home.run / "spark.args").write_text("".join(f"{_quoted(option)}\n" for option in options))


def _options(home: Home) -> list[str]:
    opened = (f"java.base/{package}" for package in _OPENED_PACKAGES)
    return [
        f"-Xmx{HEAP}",
        "-Xms256m",
        "-Xss4m",  # deep plans are analysed by recursion
        "-XX:+ExitOnOutOfMemoryError",  # half dead, it would answer and do nothing
        "-XX:+IgnoreUnrecognizedVMOptions",
        # Java leaves methods of more than 8,000 bytes to its interpreter. The one that Spark writes
        # for typing readings is larger: compiled, it takes 6 s for 2 million of them, not 15.
        "-XX:-DontCompileHugeMethods",
        "--add-modules=jdk.incubator.vector",
        *(f"--add-opens={package}=ALL-UNNAMED" for package in opened),
        "--add-opens=java.security.jgss/sun.security.krb5=ALL-UNNAMED",
        "-Djdk.reflect.useDirectMethodHandle=false",
        "-Dio.netty.tryReflectionSetAccessible=true",
        "-Dio.netty.allocator.type=pooled",
        "-Djava.net.preferIPv4Stack=true",
        "-Duser.timezone=UTC",
        "-Dfile.encoding=UTF-8",
        f"-Djava.io.tmpdir={home.temporary}",
        f"-Dderby.system.home={home.metastore}",
        f"-Dderby.stream.error.file={home.logs}/derby.log",
        f"-Dlog4j2.configurationFile=file:{home.run}/spark-log4j2.properties",
        *(f"-D{key}={value}" for key, value in settings(home).items()),
        *(() if _bronze_bytes(home) >= _LARGE_BRONZE_BYTES else _JVM_FOR_SMALL_TABLES),
        *shlex.split(os.environ.get("LAKEHOUSE_JAVA_OPTIONS", "")),
    ]


def _bronze_bytes(home: Home) -> int:
    files = (home.warehouse / "bronze.db").rglob("*.parquet")
    return sum(file.stat().st_size for file in files)


def _quoted(option: str) -> str:
    """One argument in a file of arguments for `java`."""
    return '"' + option.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _class_path(jars: Jars) -> list[str]:
    spark = pyspark_folder() / "jars"
    # Hadoop's own settings (core-default.xml) are looked up as often: not behind 270 jars.
    hadoop = sorted(spark.glob("hadoop-client-api-*.jar"))
    return [str(jar) for jar in (_no_settings(), *hadoop, spark / "*", *jars.spark_jars())]


def _no_settings() -> Path:
    """A jar with empty files of settings, to be found first.

    The metastore's client reads all of Hadoop's settings once a thread, and Spark Connect runs each
    statement in a thread of its own. Settings of MapReduce, YARN and HDFS mean nothing here, and
    files that are nowhere are looked for in every jar: together a tenth of a build.
    """
    jar = class_archive.folder() / "no-settings.jar"
    if not jar.exists():
        jar.parent.mkdir(parents=True, exist_ok=True)
        fresh = jar.with_suffix(f".{os.getpid()}")
        with zipfile.ZipFile(fresh, "w") as archive:
            for name in _UNUSED_SETTINGS:
                archive.writestr(name, "<configuration/>")
        fresh.replace(jar)
    return jar


def command(home: Home, java: Java, jars: Jars) -> Command:
    """How to start the JVM. The token is in its environment, not in the list of processes."""
    return Command(
        part="spark",
        arguments=(
            str(java.path),
            f"@{home.run}/spark.args",
            "-cp",
            os.pathsep.join(_class_path(jars)),
            MAIN_CLASS,
        ),
        environment={
            "SPARK_HOME": str(pyspark_folder()),
            "SPARK_LOCAL_IP": "127.0.0.1",
            "SPARK_CONNECT_AUTHENTICATE_TOKEN": home.token,
            # The workers of Python functions must be of the clients' Python.
            "PYSPARK_PYTHON": sys.executable,
            "PYSPARK_DRIVER_PYTHON": sys.executable,
        },
        folder=home.root,
    )


def connect(home: Home, session_id: str | None = None) -> SparkSession:
    """A new Connect session, or the one of that id (a UUID). Takes seconds at the first call."""
    from pyspark.sql.connect.session import SparkSession as ConnectSession

    url = home.connect_url + (f";session_id={session_id}" if session_id else "")
    session: SparkSession = ConnectSession.builder.remote(url).create()  # type: ignore[assignment]
    return session


def version() -> str:
    """Version of the installed PySpark."""
    from importlib.metadata import version

    return version("pyspark")
