"""Each translation on the statements that clients send, and what must stay as it is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from lakehouse.endpoint.catalog_names import shown_text
from lakehouse.endpoint.effects import (
    AddKey,
    ChangeTags,
    DropKey,
    Dropped,
    DroppedColumns,
    DroppedSchema,
    Renamed,
    Replaced,
    SetMask,
    SetRowFilter,
)
from lakehouse.endpoint.governance import KeyConstraint
from lakehouse.endpoint.scope import View
from lakehouse.endpoint.translate import RULES, translate
from lakehouse.endpoint.translation import DescribeJson, Nothing, ShowCatalogs, ShowTableExtended

DOCS = Path(__file__).parents[2] / "docs" / "local-endpoint.md"


def text(sql: str) -> str:
    """The text that Spark gets."""
    return translate(sql).text()


def squeezed(sql: str) -> str:
    return re.sub(r"\s+", " ", sql).strip()


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        (
            "select * from `lakehouse`.`silver`.`t` x join LAKEHOUSE . gold . u",
            "select * from `spark_catalog`.`silver`.`t` x join `spark_catalog` . gold . u",
        ),
        ("select 1 from hive_metastore.a.b", "select 1 from `spark_catalog`.a.b"),
        (
            "create schema if not exists lakehouse.gold",
            "create schema if not exists `spark_catalog`.gold",
        ),
        ("drop schema lakehouse.gold cascade", "drop schema `spark_catalog`.gold cascade"),
        ("show schemas in `lakehouse` like 'x'", "show schemas in `spark_catalog` like 'x'"),
        ("show tables in lakehouse.gold", "show tables in `spark_catalog`.gold"),
        ("use lakehouse.gold", "use `spark_catalog`.gold"),
        ("USE CATALOG `lakehouse`", "SET CATALOG 'spark_catalog'"),
        ("set catalog hive_metastore;", "SET CATALOG 'spark_catalog'"),
        ("use catalog 'Lakehouse'", "SET CATALOG 'spark_catalog'"),
        ("use catalog other", "SET CATALOG 'other'"),
        (
            "select * from table_changes('lakehouse.bronze.bpm', 1, 2)",
            "select * from table_changes('`spark_catalog`.`bronze`.`bpm`', 1, 2)",
        ),
        (
            "select * from table_changes('`lakehouse`.`bronze`.`bpm`', 1)",
            "select * from table_changes('`spark_catalog`.`bronze`.`bpm`', 1)",
        ),
    ],
)
def test_catalog_names(sql: str, expected: str) -> None:
    assert text(sql) == expected


@pytest.mark.parametrize(
    "sql",
    [
        "select 'lakehouse.silver.t' as a, \"lakehouse.a.b\" -- lakehouse.silver.t",
        "select /* lakehouse.a.b */ 1",
        "select lakehouse.x from t as lakehouse",
        "select lakehouse from t",
        "select a.lakehouse.b from a",
        "select mylakehouse.a.b, lakehouse2.a.b",
        "select * from lakehouse.t",
        "select * from table_changes('bronze.bpm', 0)",
    ],
)
def test_what_is_no_catalog_stays(sql: str) -> None:
    translation = translate(sql)
    assert translation.text() == sql
    assert translation.rules == ()


def test_views_of_information_schema_are_cut_out() -> None:
    translation = translate(
        "SELECT kcu.column_name FROM `lakehouse`.information_schema.key_column_usage kcu\n"
        "JOIN system.information_schema.tables ON system.information_schema.tables.table_name = 'a'"
    )
    assert [(view.name, view.alias) for view in translation.views] == [
        ("key_column_usage", ""),
        ("tables", "tables"),
    ]
    rendered = translation.text(lambda part: f"<{part.name}>" if isinstance(part, View) else "?")
    assert rendered == (
        "SELECT kcu.column_name FROM <key_column_usage> kcu\n"
        "JOIN <tables> ON `tables`.`table_name` = 'a'"
    )


@pytest.mark.parametrize(
    ("sql", "text"),
    [
        ("table system.information_schema.tables", "SELECT * FROM <tables>"),
        (
            "select 1 union all (/* x */ table information_schema.views) limit 1",
            "select 1 union all (/* x */ SELECT * FROM <views>) limit 1",
        ),
    ],
)
def test_a_query_that_is_a_table(sql: str, text: str) -> None:
    rendered = translate(sql).text(lambda part: f"<{part.name}>" if isinstance(part, View) else "?")
    assert rendered == text


A, B = "table_schema = 'a'", "table_name = 'b'"
TABLES, COLUMNS = (f"system.information_schema.{view}" for view in ("tables", "columns"))
Left = tuple[set[str] | None, set[str] | None]
ALL: Left = (None, None)
ONLY_A: Left = ({"a"}, None)
ONLY_B: Left = (None, {"b"})


@pytest.mark.parametrize(
    ("condition", "only"),
    [
        (f"{A} AND {B}", ({"a"}, {"b"})),
        (f"t.{A} and t.{B};", ({"a"}, {"b"})),
        (f"(({A} AND {B}) OR (table_schema = 'c' AND table_name = 'd'))", ({"a", "c"}, {"b", "d"})),
        (f"{A} OR table_schema = 'c'", ({"a", "c"}, None)),
        (f"{A} AND ({B} OR comment IS NULL)", ({"a"}, None)),
        (f"NOT x AND {A} GROUP BY x", ({"a"}, None)),
        (f"{A} AND table_schema = 'c'", (set(), None)),
        (f"x IN (SELECT y FROM z WHERE {B}) AND {A}", ({"a"}, None)),
        # These restrict nothing, or not what they seem to.
        (f"{A} OR table_type = 'VIEW'", ALL),
        (f"{A} OR {B}", ALL),
        (f"NOT ({A})", ALL),
        (f"NOT {A}", ALL),
        ("table_schema <> 'a'", ALL),
        (f"CASE WHEN x AND {A} AND y THEN true ELSE false END", ALL),
        ("table_schema LIKE 'a%'", ALL),
        (f"(SELECT x = 1 AND {A} FROM z)", ALL),
        (f"EXISTS (SELECT 1 FROM z WHERE x AND {A})", ALL),
        (f"{A} || 'b'", ALL),
        (f"{A} 'b'", ALL),
        (f"{A} = false", ALL),
        (f"coalesce(x AND {A}, true)", ALL),
        (f"x BETWEEN y AND {A}", ALL),
        (f"other.{A}", ALL),
        (f"x GROUP BY x HAVING y AND {A}", ALL),
        ("(" * 5000 + A, ALL),
    ],
    ids=lambda value: value[:80] if isinstance(value, str) else "",
)
def test_conditions_on_information_schema(condition: str, only: Left) -> None:
    (view,) = translate(f"SELECT x FROM {TABLES} t WHERE {condition}").views
    assert (view.only.schemas, view.only.tables) == only


@pytest.mark.parametrize(
    ("sql", "only"),
    [
        (
            f"SELECT x FROM {TABLES} WHERE {A} UNION ALL SELECT x FROM {COLUMNS}",
            [ONLY_A, ALL],
        ),
        (
            f"SELECT x FROM {TABLES} EXCEPT (SELECT x FROM {COLUMNS} WHERE {B})",
            [ALL, ONLY_B],
        ),
        (
            f"WITH t AS (SELECT x FROM {TABLES} WHERE {A}) SELECT x FROM {COLUMNS}",
            [ONLY_A, ALL],
        ),
        (f"SELECT x FROM {TABLES} JOIN {COLUMNS} USING (x) WHERE {A}", [ALL, ALL]),
        (f"SELECT x FROM {TABLES} t, {COLUMNS} c WHERE t.{A}", [ALL, ALL]),
        (f"SELECT x FROM {TABLES} t LEFT JOIN {COLUMNS} c ON c.{A}", [ALL, ALL]),
        (
            f"SELECT x FROM {TABLES} WHERE x IN (SELECT y FROM {COLUMNS} WHERE {B}) AND {A}",
            [ONLY_A, ONLY_B],
        ),
        (f"SELECT x, (SELECT y FROM {COLUMNS} WHERE {B}) FROM {TABLES}", [ONLY_B, ALL]),
        (f"FROM {TABLES} |> LIMIT 5 |> WHERE {A}", [ALL]),
        (f"SELECT x FROM {TABLES} AS t(table_schema, x) WHERE {A}", [ALL]),
        (f"SELECT x FROM (SELECT x FROM {TABLES} LIMIT 1) WHERE {A}", [ALL]),
    ],
)
def test_conditions_are_about_the_view_of_their_own_select(sql: str, only: list[Left]) -> None:
    views = translate(sql).views
    assert [(view.only.schemas, view.only.tables) for view in views] == only


@pytest.mark.parametrize(
    ("sql", "wanted"),
    [
        (f"select table_name from {TABLES}", False),
        (f"select table_name, comment from {TABLES}", True),
        (f"select * from {TABLES}", True),
        (f"select t.* from {TABLES} t", True),
        (f"table {TABLES}", True),
        (f"from {TABLES}", True),
        (f"select x from {TABLES} natural join {COLUMNS}", True),
        (f"select identifier('comment') from {TABLES}", True),
    ],
)
def test_columns_that_cost_a_statement_a_table_are_read_if_they_may_be_seen(
    sql: str, wanted: bool
) -> None:
    assert translate(sql).views[0].only.wants("comment") == wanted


def test_answers_made_here() -> None:
    describe = translate("/* dbt */ DESCRIBE TABLE EXTENDED `lakehouse`.`gold`.`t` AS JSON")
    assert describe.answer == DescribeJson(("gold", "t"))
    assert translate("desc extended t as json;").answer == DescribeJson(("t",))
    assert translate("show catalogs").answer == ShowCatalogs()
    shown = translate("SHOW TABLE EXTENDED IN `lakehouse`.`gold` LIKE 'a|b'")
    assert shown.answer == ShowTableExtended(("gold",), "a|b")
    assert translate("DESCRIBE TABLE EXTENDED gold.t").answer is None
    assert translate("SHOW CATALOGS LIKE 'x'").answer is None


def test_current_catalog_alone_is_the_clients_name() -> None:
    assert text("SELECT current_catalog()") == "SELECT 'lakehouse' AS `current_catalog()`"
    assert text("select current_catalog(), 1") == "select current_catalog(), 1"


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        (
            "COMMENT ON COLUMN `lakehouse`.`gold`.`t`.`c` IS 'it\\'s'",
            "ALTER TABLE `spark_catalog`.`gold`.`t` ALTER COLUMN `c` COMMENT 'it\\'s'",
        ),
        ("comment on column t.c is null", "ALTER TABLE `t` ALTER COLUMN `c` COMMENT ''"),
        (
            "COMMENT ON VIEW gold.v IS 'x'",
            "ALTER VIEW `gold`.`v` SET TBLPROPERTIES ('comment' = 'x')",
        ),
        ("COMMENT ON TABLE gold.t IS 'x'", "COMMENT ON TABLE gold.t IS 'x'"),
        (
            "alter table gold.t change column `Id` set not null ;",
            "ALTER TABLE `gold`.`t` ADD CONSTRAINT `__nn_id` CHECK (`Id` IS NOT NULL)",
        ),
        (
            "ALTER TABLE gold.t ALTER COLUMN id DROP NOT NULL",
            "ALTER TABLE `gold`.`t` DROP CONSTRAINT `__nn_id`",
        ),
    ],
)
def test_other_words_for_the_same(sql: str, expected: str) -> None:
    assert text(sql) == expected


def test_set_not_null_twice_is_no_error() -> None:
    assert translate("alter table t alter column c set not null").tolerate == {
        "DELTA_CONSTRAINT_ALREADY_EXISTS"
    }


@pytest.mark.parametrize(
    ("sql", "effect"),
    [
        (
            "ALTER TABLE lakehouse.gold.t SET TAGS ('a' = 'b', pii = 'no', 'flag')",
            ChangeTags(("gold", "t"), {"a": "b", "pii": "no", "flag": ""}),
        ),
        ("ALTER VIEW gold.v SET TAGS ('a' = 'b')", ChangeTags(("gold", "v"), {"a": "b"})),
        ("ALTER TABLE gold.t UNSET TAGS ('a')", ChangeTags(("gold", "t"), {"a": None})),
        (
            "ALTER TABLE gold.t ALTER COLUMN `C` SET TAGS ('a' = 'b')",
            ChangeTags(("gold", "t"), {"a": "b"}, "c"),
        ),
        (
            "ALTER SCHEMA lakehouse.gold SET TAGS ('a' = 'b')",
            ChangeTags(("gold",), {"a": "b"}, None, True),
        ),
        (
            "ALTER TABLE gold.t ALTER COLUMN c SET MASK lakehouse.gold.f USING COLUMNS (d, e);",
            SetMask(("gold", "t"), "c", "lakehouse.gold.f", ("d", "e")),
        ),
        ("ALTER TABLE gold.t ALTER COLUMN c DROP MASK", SetMask(("gold", "t"), "c", None)),
        (
            "ALTER TABLE gold.t SET ROW FILTER gold.f ON (a, b)",
            SetRowFilter(("gold", "t"), "gold.f", ("a", "b")),
        ),
        ("ALTER TABLE gold.t DROP ROW FILTER", SetRowFilter(("gold", "t"), None)),
        (
            "alter table gold.t add constraint pk primary key(`a`, `b`) RELY;",
            AddKey(("gold", "t"), KeyConstraint("pk", ["a", "b"], rely=True)),
        ),
        (
            "alter table lakehouse.gold.t add constraint fk foreign key(`a`) "
            "references lakehouse.gold.u(`b`) not enforced",
            AddKey(("gold", "t"), KeyConstraint("fk", ["a"], ["gold", "u"], ["b"])),
        ),
        ("ALTER TABLE gold.t DROP PRIMARY KEY", DropKey(("gold", "t"), None)),
        (
            "ALTER TABLE gold.t DROP PRIMARY KEY IF EXISTS CASCADE",
            DropKey(("gold", "t"), None, cascade=True),
        ),
        (
            "ALTER TABLE gold.t DROP CONSTRAINT IF EXISTS c CASCADE",
            DropKey(
                ("gold", "t"),
                "c",
                "ALTER TABLE `gold`.`t` DROP CONSTRAINT IF EXISTS `c`",
                cascade=True,
            ),
        ),
    ],
)
def test_recorded_only(sql: str, effect: object) -> None:
    translation = translate(sql)
    assert translation.answer == Nothing()
    assert translation.effects == (effect,)


@pytest.mark.parametrize(
    ("sql", "effect"),
    [
        ("drop table if exists lakehouse.gold.t", Dropped(("gold", "t"))),
        ("DROP VIEW gold.v", Dropped(("gold", "v"))),
        ("DROP SCHEMA IF EXISTS lakehouse.gold CASCADE", DroppedSchema(("gold",))),
        ("ALTER TABLE lakehouse.gold.t RENAME TO `u`", Renamed(("gold", "t"), ("gold", "u"))),
        ("ALTER TABLE t DROP COLUMNS (a, b)", DroppedColumns(("t",), ("a", "b"))),
        ("create or replace table gold.t as select 1", Replaced(("gold", "t"))),
    ],
)
def test_run_and_followed(sql: str, effect: object) -> None:
    translation = translate(sql)
    assert translation.answer is None
    assert translation.effects == (effect,)
    assert translation.text() == sql.replace("lakehouse.", "`spark_catalog`.")


def test_a_new_name_has_no_catalog() -> None:
    translation = translate("ALTER VIEW lakehouse.gold.t RENAME TO lakehouse.gold.u")
    assert translation.text() == "ALTER VIEW `spark_catalog`.gold.t RENAME TO `gold`.`u`"
    assert translation.effects == (Renamed(("gold", "t"), ("gold", "u")),)


def test_create_table_without_what_spark_does_not_know() -> None:
    translation = translate(
        "create or replace table lakehouse.gold.t (\n"
        "  `id` bigint not null comment 'the key, (one)',\n"
        "  s struct<a: int, b: string> MASK gold.f USING COLUMNS (id),\n"
        "  CONSTRAINT pk PRIMARY KEY (`id`) RELY,\n"
        "  CONSTRAINT fk FOREIGN KEY (`id`) REFERENCES gold.u (`id`)\n"
        ") using delta WITH ROW FILTER gold.g ON (id) CLUSTER BY AUTO comment 'c'"
    )
    assert squeezed(translation.text()) == (
        "create or replace table `spark_catalog`.gold.t ( "
        "`id` bigint not null comment 'the key, (one)', s struct<a: int, b: string> "
        ") using delta comment 'c'"
    )
    target = ("gold", "t")
    assert translation.effects == (
        Replaced(target),
        SetMask(target, "s", "gold.f", ("id",)),
        AddKey(target, KeyConstraint("pk", ["id"], rely=True)),
        AddKey(target, KeyConstraint("fk", ["id"], ["gold", "u"], ["id"])),
        SetRowFilter(target, "gold.g", ("id",)),
    )


def test_create_table_with_a_key_first_or_at_a_column() -> None:
    first = translate("CREATE TABLE t (PRIMARY KEY (a), a int)")
    assert squeezed(first.text()) == "CREATE TABLE t ( a int)"
    at_column = translate("CREATE TABLE t (a int PRIMARY KEY, b decimal(10, 2))")
    assert squeezed(at_column.text()) == "CREATE TABLE t (a int , b decimal(10, 2))"
    assert at_column.effects == (AddKey(("t",), KeyConstraint("t_pk", ["a"])),)


def test_create_table_as_select_is_not_looked_into() -> None:
    sql = "create table t using delta as select 1 as mask, 2 as `primary key`"
    assert translate(sql).text() == sql


def test_insert_replace_on_is_one_merge() -> None:
    translation = translate(
        "insert into table `lakehouse`.`gold`.`t` as target\n"
        "replace on (target.`id` <=> temp.`id`)\n"
        "(select `id`, `n` from tmp where f(1)) as temp"
    )
    assert translation.rules == ("catalog-name", "insert-replace-on")
    assert squeezed(translation.text()) == (
        "MERGE INTO `spark_catalog`.`gold`.`t` AS `target` "
        "USING (WITH __new AS (select `id`, `n` from tmp where f(1)) "
        "SELECT *, true AS __replaces FROM __new "
        "UNION ALL SELECT *, false AS __replaces FROM __new ) AS `temp` "
        "ON `temp`.__replaces AND (target.`id` <=> temp.`id`) "
        "WHEN MATCHED THEN DELETE "
        "WHEN NOT MATCHED AND NOT `temp`.__replaces THEN INSERT *"
    )


@pytest.mark.parametrize(
    "sql",
    [
        "insert into t values (1)",
        "insert into t by name select 1 as a",
        "insert into t by name replace where a = 1 select 1 as a",
        "insert into t replace where a = 1 select 1",
        "alter table t set tblproperties ('a' = 'b')",
        "alter table t add constraint c check (a > 0)",
        "alter table t add columns (a int)",
        "describe history t",
        "show tblproperties t",
        "merge into t using s on true when matched then delete",
    ],
)
def test_what_spark_knows_is_left_alone(sql: str) -> None:
    translation = translate(sql)
    assert (translation.text(), translation.effects, translation.answer) == (sql, (), None)


def test_messages_show_the_catalog_that_clients_know() -> None:
    assert (
        shown_text("`spark_catalog`.`a`.`b`, spark_catalog.a.b")
        == "`lakehouse`.`a`.`b`, lakehouse.a.b"
    )


def test_every_rule_is_in_the_docs() -> None:
    documented = set(re.findall(r"^\| `([a-z-]+)` \|", DOCS.read_text(), re.MULTILINE))
    assert documented == {"catalog-name", "information-schema", *(rule.name for rule in RULES)}


def test_every_rule_gives_its_reason() -> None:
    assert all(len(rule.reason) > 15 for rule in RULES)
    assert len({rule.name for rule in RULES}) == len(RULES)
