"""Where a person's records are: the one list of places, for erasure and for access requests.

Bronze holds what came, silver what it means: a record's staging row has the id that it names, or,
if it is rejected, `loose_ids`, all in it that may be an id. Here these ids are compared with those
of persons. Views of the session carry them from query to query, so that no statement has an id.
"""

# ruff: noqa: S608  (the names in the statements are this package's own)
from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pyspark.sql import DataFrame, SparkSession

from ingestion import bronze, hashes
from ingestion.feeds import IngestionError

_LAYERS = ("silver", "gold")


class NotBuilt(IngestionError):
    """Silver lacks records that bronze has."""


@dataclass(frozen=True)
class Place:
    """A feed's records: the staging table, the id that a record names and its kind, the time at
    which a device or MAC must have been the person's, and the columns of bronze with content."""

    feed: str
    staging: str
    kind: str
    identifier: str
    at: str
    content: tuple[str, ...]

    @property
    def from_kafka(self) -> bool:
        return "key" in self.content

    def record_key(self, alias: str) -> str:
        """SQL: the record_key of a row of bronze, as staging has it."""
        if not self.from_kafka:
            return f"{alias}.record_id"
        place = ("topic", "topic_epoch", "`partition`", "`offset`")
        parts = ", ".join(f"{alias}.{column}" for column in place)
        return f"coalesce({alias}.record_id, concat_ws('/', {parts}))"


_MESSAGE = ("key", "value", "headers")
PLACES = (
    Place("user_info", "stg_kafka__user_info", "user", "user_id", "changed_at", _MESSAGE),
    Place("bpm", "stg_kafka__bpm", "device", "device_id", "measured_at", _MESSAGE),
    Place("workout", "stg_kafka__workout", "user", "user_id", "occurred_at", _MESSAGE),
    Place(
        *("registered_users", "stg_azure_sql__registered_users", "user", "user_id"),
        "registered_at",
        ("raw", "user_id", "device_id", "mac_address", "registration_timestamp"),
    ),
    Place(
        *("gym_logins", "stg_azure_sql__gym_logins", "mac", "mac_address", "login_at"),
        ("raw", "mac_address", "gym", "login", "logout"),
    ),
)


class Persons:
    """The places of persons, by the tables of a catalog. Silver must be there."""

    def __init__(self, spark: SparkSession, catalog: str = "") -> None:
        self._spark = spark
        self._catalog = catalog
        if not all(spark.catalog.tableExists(self.silver(place.staging)) for place in PLACES):
            raise NotBuilt("Silver is not built yet: run `dbt build`, then this again.")

    def bronze(self, name: str) -> str:
        return bronze.table_name(name, self._catalog)

    def silver(self, name: str) -> str:
        return bronze.table_name(name, self._catalog, "silver")

    def unread(self) -> int:
        """Records of bronze that no build has read."""
        count = 0
        for place in PLACES:
            held = self._spark.table(self.bronze(place.feed)).count()
            count += held - self._spark.table(self.silver(place.staging)).count()
        return count

    def of_asked(self, asked: Mapping[str, int]) -> DataFrame:
        """Identifiers of the users with these hashes, each with its `person`, a number:
        kind, identifier, owned_from, owned_to, person. Without a row: no record names the user.
        """
        self._view("asked", list(asked.items()), "user_hash string, person int")
        named = [
            f"select {place.identifier} as id from {self.silver(place.staging)}"
            for place in PLACES
            if place.kind == "user"
        ]
        users = self._spark.sql(
            f"""
            select asked.person, ids.id as identifier
            from (select distinct id from ({" union all ".join(named)} union all {self._loose()}))
                as ids
            cross join {hashes.pads(self._catalog)} as pads
            join asked on asked.user_hash = {hashes.keyed_hash("user", "ids.id")}
            """
        )
        users.localCheckpoint().createOrReplaceTempView("asked_users")
        return self._spark.sql(
            f"""
            select
                'user' as kind, identifier, cast(null as timestamp) as owned_from,
                cast(null as timestamp) as owned_to, person
            from asked_users
            union all
            select owned.kind, owned.identifier, owned.owned_from, owned.owned_to, person
            from {self.silver("device_registrations")} as owned
            join asked_users on asked_users.identifier = owned.user_id
            """
        )

    def of_erased(self) -> DataFrame:
        """Identifiers of erased persons, as far as records that staging takes for nobody's hold
        them: kind, identifier, owned_from, owned_to, requested_at."""
        hashed = ", ".join(
            f"struct('{kind}' as kind, {hashes.keyed_hash(kind, 'id')} as identifier_hash)"
            for kind in ("user", "device", "mac")
        )
        return self._spark.sql(
            f"""
            select
                ids.kind, ids.id as identifier, erased.owned_from, erased.owned_to,
                erased.requested_at
            from (
                select id, inline(array({hashed}))
                from (select distinct id from ({self._loose()}))
                cross join {hashes.pads(self._catalog)}
            ) as ids
            join (
                select
                    'user' as kind, user_hash as identifier_hash, requested_at,
                    cast(null as timestamp) as owned_from, cast(null as timestamp) as owned_to
                from {self.bronze("suppression_list")}
                union all
                select kind, identifier_hash, requested_at, owned_from, owned_to
                from {self.silver("stg_erasure__ownerships")}
            ) as erased
                on erased.kind = ids.kind and erased.identifier_hash = ids.identifier_hash
            """
        )

    def _loose(self) -> str:
        """SQL: all ids that no column of a staging row has: of rejected records, of keys and
        headers, and of source_deletes."""
        ids = "explode(concat(coalesce(loose_ids.ids, array()), loose_ids.key_ids)) as id"
        staging = [self.silver(place.staging) for place in PLACES]
        loose = [f"select {ids} from {table} where loose_ids is not null" for table in staging]
        headers = [f"select id from ({self._headers(p)})" for p in PLACES if p.from_kafka]
        return " union all ".join([*loose, *headers, f"select id from ({self._deleted()})"])

    def _headers(self, place: Place) -> str:
        """SQL: record_key, at and id of all in the headers of a feed that may be an id. They are
        read when somebody asks, and not by staging: hardly any holds one."""
        texts = "transform(headers, header -> cast(header.value as string))"
        parts = "split(text, '[^\\\\p{L}\\\\p{M}\\\\p{N}_.:@-]+')"
        words = f"flatten(transform(texts, text -> {parts}))"
        return f"""
            select
                record_key, at,
                explode(array_distinct(flatten(transform(
                    array_compact(concat(texts, {words})),
                    word -> array({_trimmed("word")}, trim(both '.:' from word), {_mac("word")})
                )))) as id
            from (
                select
                    {place.record_key("old")} as record_key, {texts} as texts,
                    coalesce(old.timestamp, old.ingested_at) as at
                from {self.bronze(place.feed)} as old where size(headers) > 0
            )
        """

    def beside(self, place: Place, identifiers: str) -> dict[str, str]:
        """SQL by column of bronze: record_key and the matching row of the view `identifiers` for
        records that name somebody else, with such an id in their key or headers."""
        if not place.from_kafka:
            return {}
        headers = f"""
            select headers.record_key, persons.* from ({self._headers(place)}) as headers
            join {identifiers} as persons
                on persons.identifier = headers.id and {_owned("headers.at")}
        """
        return {
            "key": self.loose_records(place, identifiers, in_key=True),
            "headers": headers,
        }

    def loose_records(self, place: Place, identifiers: str, in_key: bool = False) -> str:
        """SQL: record_key and the matching row of the view `identifiers` for rejected records.

        One that names an id of its feed's kind is compared by that; of one that names none, every
        word by every kind. in_key: instead, the records of others with such an id in their keys.
        """
        ids = "key_ids" if in_key else "ids"
        kind = "" if in_key else "and (loose.kind = persons.kind or not loose.is_named)"
        return f"""
            select loose.record_key, loose.ingested_at, persons.*
            from (
                select
                    record_key, ingested_at, loose_ids.is_named, loose_ids.at,
                    '{place.kind}' as kind, explode(loose_ids.{ids}) as id
                from {self.silver(place.staging)}
                where loose_ids is not null
            ) as loose
            join {identifiers} as persons
                on persons.identifier = loose.id {kind} and {_owned("loose.at")}
        """

    def records(self, place: Place, identifiers: str) -> str:
        """SQL: record_key and person of all records of the persons in the view `identifiers`."""
        return f"""
            select distinct record_key, person
            from (
                select staged.record_key, persons.person
                from {self.silver(place.staging)} as staged
                join {identifiers} as persons
                    on persons.kind = '{place.kind}'
                    and persons.identifier = staged.{place.identifier}
                    and {_owned(f"staged.{place.at}")}
                union all
                select record_key, person from ({self.loose_records(place, identifiers)})
            )
        """

    def held(self, asked: Mapping[str, int]) -> Iterator[tuple[int, str, dict[str, Any]]]:
        """All rows that are held of these users (number by hash): person, table and row.

        Records of bronze and staging; of silver and gold each table with a column `user_id`. Of
        somebody else's record with the person's id in its key or headers, these alone.
        """
        self.of_asked(asked).localCheckpoint().createOrReplaceTempView("identifiers")
        for place in PLACES:
            theirs = self._spark.sql(self.records(place, "identifiers")).localCheckpoint()
            theirs.createOrReplaceTempView("theirs")
            name, same = place.feed, f"{place.record_key('old')} = theirs.record_key"
            yield from self._rows(f"bronze.{name}", self._readable(place), "theirs", same)
            for column, found in self.beside(place, "identifiers").items():
                found = f"(select distinct record_key, person from ({found}))"
                columns = f"topic, topic_epoch, `partition`, `offset`, record_id, {column}"
                old = f"(select {columns} from {self._readable(place)})"
                yield from self._rows(f"bronze.{name}", old, found, same)
            same, staging = "old.record_key = theirs.record_key", self.silver(place.staging)
            yield from self._rows(f"silver.{place.staging}", staging, "theirs", same)
        yield from self._rows(
            *("bronze.source_deletes", self.bronze("source_deletes")),
            "(select distinct feed, source_file, record_key, person "
            f"from ({self.deleted('identifiers')}))",
            "old.feed = theirs.feed and old.source_file = theirs.source_file "
            "and old.record_key = theirs.record_key",
        )
        for schema in _LAYERS:
            for name in self._tables_with_users(schema):
                table = bronze.table_name(name, self._catalog, schema)
                same = "old.user_id = theirs.identifier"
                yield from self._rows(f"{schema}.{name}", table, "asked_users", same)

    def deleted(self, identifiers: str) -> str:
        """SQL: rows of source_deletes that name an identifier of the view, with its row there."""
        return f"""
            select gone.feed, gone.source_file, gone.record_key, persons.*
            from ({self._deleted()}) as gone
            join {identifiers} as persons
                on persons.kind = gone.kind and persons.identifier = gone.id and {_owned("gone.at")}
        """

    def _deleted(self) -> str:
        """SQL: what each row of source_deletes names, in the one spelling of its kind: the user, or
        the device where there is none; the MAC. Times are seconds, as JDBC rows have them."""

        def field(name: str) -> str:
            return _trimmed(f"get_json_object(record_key, '$.{name}')")

        def whole(name: str) -> str:
            return f"regexp_replace({field(name)}, '^([0-9]+)[.]0+$', '$1')"

        return f"""
            select
                feed, source_file, record_key,
                case
                    when feed = 'gym_logins' then 'mac'
                    when {field("user_id")} <> '' then 'user'
                    else 'device'
                end as kind,
                case
                    when feed = 'gym_logins' then {_mac(field("mac_address"))}
                    when {field("user_id")} <> '' then {whole("user_id")}
                    else {whole("device_id")}
                end as id,
                timestamp_seconds(try_cast(
                    coalesce({field("login")}, {field("registration_timestamp")}) as double
                )) as at
            from {self.bronze("source_deletes")}
        """

    def _tables_with_users(self, schema: str) -> list[str]:
        within = f"`{self._catalog}`.`{schema}`" if self._catalog else f"`{schema}`"
        staging = {place.staging for place in PLACES}
        return [
            table.name
            for table in self._spark.catalog.listTables(within)
            if table.tableType == "MANAGED"
            and table.name not in staging
            and "user_id"
            in self._spark.table(bronze.table_name(table.name, self._catalog, schema)).columns
        ]

    def _readable(self, place: Place) -> str:
        """SQL: a table of bronze, with bytes as the text that they are, else in Base64."""
        table = self.bronze(place.feed)
        if not place.from_kafka:
            return table

        def text(column: str) -> str:
            text = f"cast({column} as string)"
            return f"if(is_valid_utf8({text}), {text}, base64({column}))"

        headers = f"transform(headers, h -> struct(h.key as key, {text('h.value')} as value))"
        return (
            f"(select {text('key')} as key, {text('value')} as value, {headers} as headers, "
            f"* except (key, value, headers) from {table})"
        )

    def _rows(
        self, name: str, table: str, theirs: str, same: str
    ) -> Iterator[tuple[int, str, dict[str, Any]]]:
        found = self._spark.sql(
            "select theirs.person, to_json(struct(old.*), map('ignoreNullFields', 'false')) as row "
            f"from {table} as old join {theirs} as theirs on {same}"
        )
        for row in found.toLocalIterator():
            yield row.person, name, json.loads(row["row"])

    def _view(self, name: str, rows: list[Any], schema: str) -> None:
        self._spark.createDataFrame(rows, schema).createOrReplaceTempView(name)


def _trimmed(text: str) -> str:
    """SQL: a text as staging trims its fields."""
    return (
        "trim(both ' \\t\\n\\u000B\\u000C\\r' from regexp_replace("
        f"{text}, '^[ \\\\t\\\\n\\\\x0B\\\\f\\\\r]*\\\\uFEFF', ''))"
    )


def _mac(text: str) -> str:
    """SQL: a MAC address in the spelling of staging."""
    return f"left(regexp_replace(translate(lower({text}), ':.-', ''), '(..)', '$1:'), 17)"


def _owned(at: str) -> str:
    return (
        f"(persons.owned_from is null or {at} >= persons.owned_from) "
        f"and (persons.owned_to is null or {at} < persons.owned_to)"
    )
