"""Erasure: the one that writes bronze is the one that blanks it.

`python -m ingestion.erasure forget` puts the users whose ids come on standard input on the
suppression list; the next `dbt build` takes them out of silver and gold. `blank` then empties their
records in bronze, `scrub` their lines in landed files, and `export` writes all that is held of the
users on standard input. docs/erasure.md tells when to run which.
"""

# ruff: noqa: S608  (the names in the statements are this package's own)
from __future__ import annotations

import argparse
import io
import json
import os
import stat
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

from pyspark.sql import DataFrame, SparkSession

from ingestion import bronze, hashes, sessions
from ingestion.config import load
from ingestion.feeds import IngestionError
from ingestion.persons import PLACES, NotBuilt, Persons, Place
from ingestion.scrub import scrub

_ROWS = "erasure_rows"


def forget(spark: SparkSession, ids: Mapping[str, int], catalog: str = "") -> None:
    """Put users (line of the input by id) on the suppression list; who is there is passed over.

    Raises IngestionError, and changes nothing, if no record names one of them.
    """
    asked = _hashed(spark, ids, catalog)
    suppressed = bronze.table_name("suppression_list", catalog)
    listed = {row.user_hash for row in spark.table(suppressed).select("user_hash").collect()}
    asked = {one: line for one, line in asked.items() if one not in listed}
    if not asked:
        return
    _require_known(Persons(spark, catalog), asked)
    rows = spark.createDataFrame([(one,) for one in asked], "user_hash string")
    rows = rows.selectExpr("user_hash", "current_timestamp() as requested_at")
    rows.write.format("delta").mode("append").saveAsTable(suppressed)


def export(spark: SparkSession, ids: Mapping[str, int], out: IO[str], catalog: str = "") -> int:
    """Write all that is held of users (line of the input by id), one row a line, as JSON:
    `user_id`, `table` and `row`. If `out` is a file, it becomes its owner's alone.

    Returns how many records no build has read, which were not looked at. Raises IngestionError,
    before the first row, if no record names one of the users.
    """
    if not ids:
        raise IngestionError("No user id came on standard input: give one a line.")
    asked = _hashed(spark, ids, catalog)
    persons = Persons(spark, catalog)
    _require_known(persons, asked)
    if stat.S_ISREG(os.fstat(out.fileno()).st_mode):
        os.fchmod(out.fileno(), 0o600)
    spelled = {line: user_id for user_id, line in ids.items()}
    for person, table, row in persons.held(asked):
        line = {"user_id": spelled[person], "table": table, "row": row}
        print(json.dumps(line), file=out)
    return persons.unread()


def _hashed(spark: SparkSession, ids: Mapping[str, int], catalog: str) -> dict[str, int]:
    bronze.create_tables(spark, catalog)
    hasher = hashes.hasher(spark, catalog)
    found: dict[str, int] = {}
    for user_id, line in ids.items():
        found.setdefault(hasher.user(user_id), line)
    return found


def _require_known(persons: Persons, asked: Mapping[str, int]) -> None:
    known = {row.person for row in persons.of_asked(asked).select("person").distinct().collect()}
    if not (unknown := sorted(set(asked.values()) - known)):
        return
    fault = (
        f"No record is of the person on line {', '.join(map(str, unknown))} of the input; nothing "
        "was done."
    )
    if unread := persons.unread():
        raise NotBuilt(f"{fault} {unread} records wait for `dbt build`: run it, then this again.")
    raise IngestionError(f"{fault} Correct or leave out what is unknown.")


def blank(spark: SparkSession, catalog: str = "") -> dict[str, int]:
    """Empty the records of erased persons in bronze, those of late arrivals too; returns how many
    rows were changed, by table.

    Places stay, so that ingestion resumes and audits as before. May be repeated, and beside a
    stream. Silver must be built since the persons were put on the list.
    """
    bronze.create_tables(spark, catalog)
    persons = Persons(spark, catalog)
    changed: dict[str, int] = {}

    def merge(table: str, rows: DataFrame, on: str, actions: str) -> None:
        if count := _merge(spark, table, rows, on, actions):
            changed[table] = changed.get(table, 0) + count

    # Before their payload goes: what bounds the readings and logins of erased persons.
    remembered = persons.bronze("erased_registrations")
    registrations = persons.silver("stg_azure_sql__registered_users")
    erased = spark.sql(
        f"""
        select distinct erased_registration.* from {registrations}
        where erased_registration is not null
        except select user_hash, device_hash, mac_hash, registered_at from {remembered}
        """
    )
    merge(remembered, erased, "false", "when not matched then insert *")
    persons.of_erased().localCheckpoint().createOrReplaceTempView("erased_identifiers")
    for place in PLACES:
        key = place.record_key("old")
        empty = ", ".join(f"old.{column} = null" for column in place.content)
        merge(
            *(persons.bronze(place.feed), spark.sql(_erased(persons, place))),
            f"{key} = new.record_key",
            f"when matched then update set {empty}, old.erased_at = new.erased_at",
        )
        # Of others' records. An empty key tells `scrub` which landed envelopes lose theirs.
        for column, found in persons.beside(place, "erased_identifiers").items():
            nothing = "X''" if column == "key" else "array()"
            merge(
                *(persons.bronze(place.feed), spark.sql(_beside(persons, place, column, found))),
                f"{key} = new.record_key",
                f"when matched then update set old.{column} = {nothing}",
            )
    merge(
        persons.bronze("source_deletes"),
        spark.sql(
            "select distinct feed, source_file, record_key "
            f"from ({persons.deleted('erased_identifiers')})"
        ),
        "old.feed = new.feed and old.source_file = new.source_file "
        "and old.record_key = new.record_key",
        "when matched then delete",
    )
    # Made outside dbt, on Databricks: which reader may see which member.
    access = persons.silver("member_access")
    if spark.catalog.tableExists(access):
        members = spark.sql(
            f"""
            select distinct user_id from {access} cross join {hashes.pads(catalog)}
            left semi join {persons.bronze("suppression_list")} as listed
                on listed.user_hash = {hashes.keyed_hash("user", "user_id")}
            """
        )
        merge(access, members, "old.user_id = new.user_id", "when matched then delete")
    return changed


def _erased(persons: Persons, place: Place) -> str:
    """SQL: record_key and erased_at of records that are to be emptied: those that staging keeps
    out, and those that name nobody of their feed's kind and have an erased person's id in them."""
    loose = persons.loose_records(place, "erased_identifiers")
    return f"""
        select erased.record_key, min(erased.erased_at) as erased_at
        from (
            select record_key, erased_at from {persons.silver(place.staging)}
            where erased_at is not null
            union all
            select record_key, greatest(requested_at, ingested_at) from ({loose})
        ) as erased
        left semi join {persons.bronze(place.feed)} as old
            on erased.record_key = {place.record_key("old")} and old.erased_at is null
        group by erased.record_key
    """


def _beside(persons: Persons, place: Place, column: str, found: str) -> str:
    """SQL: record_key of others' records whose key or headers are to be emptied."""
    return f"""
        select distinct found.record_key from ({found}) as found
        left semi join {persons.bronze(place.feed)} as old
            on found.record_key = {place.record_key("old")} and old.erased_at is null
                and {"old.key <> X''" if column == "key" else "size(old.headers) > 0"}
    """


def _merge(spark: SparkSession, table: str, rows: DataFrame, on: str, actions: str) -> int:
    """MERGE, unless there is nothing to merge: then no commit either; returns how many rows.

    A table's history keeps the text of the condition: it compares columns, and no value is in it.
    """
    rows = rows.localCheckpoint()
    if count := rows.count():
        rows.createOrReplaceTempView(_ROWS)
        spark.sql(f"merge into {table} as old using {_ROWS} as new on {on} {actions}").collect()
    return count


def asked(lines: IO[bytes]) -> dict[str, int]:
    """The ids on a stream, whatever its encoding: line by id. Raises IngestionError."""
    return hashes.user_ids(io.TextIOWrapper(lines, "utf-8", errors="replace", newline="\n"))


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns 0, or 1 after a fault that is told in one sentence."""
    parser = argparse.ArgumentParser(prog="python -m ingestion.erasure", description=__doc__)
    parser.add_argument("action", choices=("forget", "blank", "scrub", "export"))
    parser.add_argument("--config", type=Path, metavar="FILE", help="settings (TOML)")
    args = parser.parse_args(arguments)
    try:
        config = load(os.environ, args.config)
        ids = asked(sys.stdin.buffer) if args.action in ("forget", "export") else {}
        with sessions.session(config.spark_remote) as spark:
            if args.action == "forget":
                forget(spark, ids, config.catalog)
                print(f"{len(ids)} persons are on the suppression list")
            elif args.action == "export":
                if unread := export(spark, ids, sys.stdout, config.catalog):
                    print(f"{unread} records wait for `dbt build`, not looked at", file=sys.stderr)
            elif args.action == "blank":
                for table, count in blank(spark, config.catalog).items():
                    print(f"{table}: {count} rows")
            else:
                print(f"{scrub(spark, config.landing, config.catalog)} files scrubbed")
    except IngestionError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def job() -> None:
    """Entry point of a Databricks wheel task, which heeds exceptions and no return value."""
    if code := main():
        raise SystemExit(code)


if __name__ == "__main__":
    raise SystemExit(main())
