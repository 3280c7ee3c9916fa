"""What a Python client with Databricks' connector gets: values, errors, parameters, metadata."""

from __future__ import annotations

import datetime
import decimal
from typing import Any

import pytest
from databricks.sql import ServerOperationError
from databricks.sql import parameters as _parameters

from lakehouse.endpoint.thrift_api import t
from tests.endpoint.conftest import Client
from tests.support import Workspace

UTC = datetime.UTC
typed: Any = _parameters
MOMENT = datetime.datetime(2024, 2, 29, 23, 59, 59, 123456)


@pytest.fixture(scope="module")
def table(client: Client, schema: str) -> str:
    """A Delta table with a comment, a NOT NULL column, nested and limited types, two versions."""
    name = f"lakehouse.{schema}.sample"
    client.rows(
        f"CREATE TABLE {name} (id BIGINT NOT NULL COMMENT 'the key', "
        "tags MAP<STRING, ARRAY<INT>>, price DECIMAL(10, 2), code VARCHAR(5), at TIMESTAMP) "
        "COMMENT 'a sample: one' TBLPROPERTIES (delta.enableChangeDataFeed = true)"
    )
    client.rows(f"INSERT INTO {name} VALUES (1, map('a', array(1)), 1.50, 'x', now())")
    client.rows(f"UPDATE {name} SET price = 2 WHERE id = 1")
    return name


# Values


@pytest.mark.parametrize(
    ("expression", "value", "kind"),
    [
        ("1Y", 1, "tinyint"),
        ("-300S", -300, "smallint"),
        ("2147483647", 2147483647, "int"),
        ("9223372036854775807L", 9223372036854775807, "bigint"),
        ("1.5F", 1.5, "float"),
        ("0.1D", 0.1, "double"),
        ("double('NaN') is null", False, "boolean"),
        (
            "12345678901234567890123456789012345.678BD",
            decimal.Decimal("12345678901234567890123456789012345.678"),
            "decimal",
        ),
        ("'é \U0001f3c3 ''' || '\\n'", "é \U0001f3c3 '\n", "string"),
        ("X'00ff'", b"\x00\xff", "binary"),
        ("DATE'0001-01-01'", datetime.date(1, 1, 1), "date"),
        ("TIMESTAMP'2024-02-29 23:59:59.123456'", MOMENT.replace(tzinfo=UTC), "timestamp"),
        ("TIMESTAMP_NTZ'2024-02-29 23:59:59.123456'", MOMENT, "timestamp"),
        ("array(1, null, 3)", [1, None, 3], "array"),
        ("map('a', 1, 'b', null)", [("a", 1), ("b", None)], "map"),
        (
            "named_struct('a', array(named_struct('b', 1.10BD)), 'c', null)",
            {"a": [{"b": decimal.Decimal("1.10")}], "c": None},
            "struct",
        ),
        ("INTERVAL '1' DAY", "INTERVAL '1' DAY", "interval_day_time"),
        ("INTERVAL '14' MONTH", "INTERVAL '14' MONTH", "interval_year_month"),
        ("parse_json('{\"a\": [1, null]}')", '{"a":[1,null]}', "variant"),
        ("array(parse_json('1'))", "[1]", "array"),
        ("CAST(NULL AS INT)", None, "int"),
        ("NULL", None, "null"),
    ],
)
def test_values_of_every_type(client: Client, expression: str, value: Any, kind: str) -> None:
    with client.connection.cursor() as cursor:
        cursor.execute(f"SELECT {expression} AS v")
        (column,) = cursor.description
        assert column[:2] == ("v", kind)
        assert cursor.fetchall_arrow().to_pylist() == [{"v": value}]


def test_rows_of_the_cursor_are_python_values(client: Client) -> None:
    with client.connection.cursor() as cursor:
        cursor.execute("SELECT 1 AS a, TIMESTAMP'2024-01-01 00:00:00.5' AS b, 1.50BD AS c")
        row = cursor.fetchone()
    assert (row.a, row.c) == (1, decimal.Decimal("1.50"))
    assert row.b == datetime.datetime(2024, 1, 1, 0, 0, 0, 500000, tzinfo=UTC)


def test_nulls_in_every_column(client: Client, table: str) -> None:
    rows = client.rows(f"SELECT * FROM {table} RIGHT JOIN VALUES (0) AS v(z) ON false")
    assert rows == [{"id": None, "tags": None, "price": None, "code": None, "at": None, "z": 0}]


@pytest.mark.parametrize(
    "expression", ["1 AS a", "INTERVAL '1' DAY AS a", "array(named_struct('x', 1)) AS a"]
)
def test_an_empty_result_has_its_columns(client: Client, expression: str) -> None:
    with client.connection.cursor() as cursor:
        cursor.execute(f"SELECT {expression}, parse_json('1') AS b WHERE false")
        assert [column[0] for column in cursor.description] == ["a", "b"]
        assert cursor.fetchall() == []


def test_a_command_has_no_columns_and_dml_its_counts(client: Client, schema: str) -> None:
    with client.connection.cursor() as cursor:
        cursor.execute(f"CREATE TABLE {schema}.counted AS SELECT id FROM range(10)")
        assert cursor.fetchall() == []
        cursor.execute(f"DELETE FROM {schema}.counted WHERE id < 3")
        assert cursor.rowcount == 3
        cursor.execute(f"SELECT count(*) FROM {schema}.counted")
        assert cursor.fetchone()[0] == 7


# Errors


@pytest.mark.parametrize(
    ("sql", "condition", "state"),
    [
        ("SELECT nope", "UNRESOLVED_COLUMN.WITHOUT_SUGGESTION", "42703"),
        ("SELECT * FROM lakehouse.silver.nope", "TABLE_OR_VIEW_NOT_FOUND", "42P01"),
        ("SELEC 1", "PARSE_SYNTAX_ERROR", "42601"),
        ("SELECT 1 / (id - id) FROM range(1)", "DIVIDE_BY_ZERO", "22012"),
        ("SELECT CAST('x' AS INT)", "CAST_INVALID_INPUT", "22018"),
        ("SELECT * FROM system.information_schema.nope", "TABLE_OR_VIEW_NOT_FOUND", "42P01"),
    ],
)
def test_errors_carry_sparks_message(client: Client, sql: str, condition: str, state: str) -> None:
    with pytest.raises(ServerOperationError) as caught:
        client.rows(sql)
    message = str(caught.value)
    assert message.startswith(f"[{condition}]")
    assert f"SQLSTATE: {state}" in message
    assert "JVM stacktrace" not in message
    assert "spark_catalog" not in message


def test_the_protocol_has_the_sqlstate(client: Client) -> None:
    backend = client.connection.session.backend
    request = t.TExecuteStatementReq(
        sessionHandle=client.connection.session._session_id.to_thrift_handle(),
        statement="SELECT nope",
        getDirectResults=t.TSparkGetDirectResults(maxRows=1, maxBytes=1),
    )
    response = backend._client.ExecuteStatement(request)
    status = response.directResults.operationStatus
    assert status is not None
    assert status.sqlState == "42703"
    assert status.operationState == t.TOperationState.ERROR_STATE


def test_a_session_goes_on_after_an_error(client: Client) -> None:
    with pytest.raises(ServerOperationError):
        client.rows("SELECT nope")
    assert client.value("SELECT 1") == 1


# Parameters


def test_parameters_by_name(client: Client) -> None:
    (row,) = client.rows(
        "SELECT :a AS a, :b + 1 AS b, :c AS c, :d AS d, ':e' AS e",
        {"a": "it's; --", "b": 41, "c": None, "d": [1, 2]},
    )
    assert row == {"a": "it's; --", "b": 42, "c": None, "d": [1, 2], "e": ":e"}


def test_parameters_by_position_keep_their_types(client: Client) -> None:
    values = [
        typed.BigIntegerParameter(2**40),
        typed.DoubleParameter(0.1),
        typed.DecimalParameter(decimal.Decimal("1.10")),
        typed.DateParameter(datetime.date(2024, 2, 29)),
        typed.TimestampParameter(MOMENT.replace(tzinfo=UTC)),
        typed.TimestampParameter(
            datetime.datetime(2024, 1, 1, 2, tzinfo=datetime.timezone(datetime.timedelta(hours=2)))
        ),
        typed.TimestampNTZParameter(MOMENT),
        typed.StringParameter("x"),
        True,
    ]
    marks = ", ".join(f"? AS c{i}" for i in range(len(values)))
    (row,) = client.rows(f"SELECT {marks}", values)
    assert list(row.values()) == [
        2**40,
        0.1,
        decimal.Decimal("1.10"),
        datetime.date(2024, 2, 29),
        MOMENT.replace(tzinfo=UTC),
        datetime.datetime(2024, 1, 1, tzinfo=UTC),
        MOMENT,
        "x",
        True,
    ]


def test_parameters_in_a_condition_on_a_table(client: Client, table: str) -> None:
    assert client.value(f"SELECT count(*) FROM {table} WHERE id = :id", {"id": 1}) == 1


# Sessions


def test_sessions_do_not_share_views_settings_or_schema(workspace: Workspace) -> None:
    options = {"schema": "gold", "session_configuration": {"timezone": "Asia/Tokyo"}}
    with workspace.connect(**options) as one, workspace.connect() as other:
        first, second = Client(one), Client(other)
        assert first.value("SELECT current_schema()") == "gold"
        assert second.value("SELECT current_schema()") == "default"
        assert first.value("SELECT current_timezone()") == "Asia/Tokyo"
        assert second.value("SELECT current_timezone()") == "UTC"
        first.rows("CREATE TEMPORARY VIEW mine AS SELECT 1 AS a")
        assert first.value("SELECT a FROM mine") == 1
        with pytest.raises(ServerOperationError, match="TABLE_OR_VIEW_NOT_FOUND"):
            second.rows("SELECT a FROM mine")


def test_a_schema_that_is_not_there_yet(workspace: Workspace) -> None:
    with workspace.connect(schema="not_yet") as connection:
        assert Client(connection).value("SELECT 1") == 1


def test_a_setting_that_spark_refuses_is_an_error(workspace: Workspace) -> None:
    with pytest.raises(Exception, match=r"spark\.sql\.ansi\.enabled"):
        workspace.connect(session_configuration={"spark.sql.ansi.enabled": "maybe"})


# Delta


def test_change_feed_and_time_travel(client: Client, table: str) -> None:
    changes = client.rows(
        f"SELECT id, _change_type FROM table_changes('{table}', 2, 2) ORDER BY _change_type"
    )
    kinds = [row["_change_type"] for row in changes]
    assert kinds == ["update_postimage", "update_preimage"]
    assert client.value(f"SELECT price FROM {table} VERSION AS OF 1") == decimal.Decimal("1.50")
    assert client.value(f"SELECT count(*) FROM {table} VERSION AS OF 0") == 0


def test_a_change_feed_beside_its_table_is_read_by_another_spelling(
    client: Client, table: str
) -> None:
    """As the models do: with one spelling for both, Spark takes the table for its change feed."""
    other = table.removeprefix("lakehouse.").upper()
    changes = client.rows(
        f"SELECT id FROM table_changes('{other}', 2, 2) WHERE id IN (SELECT id FROM {table})"
    )
    assert len(changes) == 2


def test_deltas_own_commands(client: Client, table: str) -> None:
    versions = [row["version"] for row in client.rows(f"DESCRIBE HISTORY {table}")]
    assert versions == [2, 1, 0]
    (detail,) = client.rows(f"DESCRIBE DETAIL {table}")
    assert detail["format"] == "delta"
    properties = {row["key"]: row["value"] for row in client.rows(f"SHOW TBLPROPERTIES {table}")}
    assert properties["delta.enableChangeDataFeed"] == "true"
    (optimized,) = client.rows(f"OPTIMIZE {table}")
    assert optimized["metrics"]["totalConsideredFiles"] >= 1


# Metadata


def call(client: Client, name: str, *arguments: Any, **named: Any) -> list[dict[str, Any]]:
    with client.connection.cursor() as cursor:
        getattr(cursor, name)(*arguments, **named)
        rows: list[dict[str, Any]] = cursor.fetchall_arrow().to_pylist()
        return rows


def test_catalogs_and_schemas(client: Client, schema: str) -> None:
    assert call(client, "catalogs") == [{"TABLE_CAT": "lakehouse"}]
    found = call(client, "schemas", "lakehouse")
    assert {"bronze", "silver", "gold", schema} <= {row["TABLE_SCHEM"] for row in found}
    assert {row["TABLE_CATALOG"] for row in found} == {"lakehouse"}
    assert len(call(client, "schemas", "hive_metastore", "bron%")) == 1
    assert call(client, "schemas", "elsewhere") == []


def test_the_catalog_is_chosen_by_any_of_its_names(client: Client, schema: str) -> None:
    for name in ("lakehouse", "`hive_metastore`", "'lakehouse'"):
        client.rows(f"USE CATALOG {name}")
        client.rows(f"SET CATALOG {name}")
    client.rows(f"USE lakehouse.{schema}")
    assert client.value("SELECT current_catalog()") == "lakehouse"
    with pytest.raises(ServerOperationError, match="CATALOG_NOT_FOUND"):
        client.rows("USE CATALOG elsewhere")


def test_tables_by_pattern_and_type(client: Client, schema: str, table: str) -> None:
    client.rows(f"CREATE OR REPLACE VIEW {schema}.sample_view AS SELECT 1 AS a")
    found = call(client, "tables", "lakehouse", schema, "sample%")
    assert [(row["TABLE_NAME"], row["TABLE_TYPE"]) for row in found] == [
        ("sample", "TABLE"),
        ("sample_view", "VIEW"),
    ]
    views = call(client, "tables", "lakehouse", schema, "%", table_types=["VIEW"])
    assert [row["TABLE_NAME"] for row in views] == ["sample_view"]
    assert call(client, "tables", "lakehouse", schema, "sampleX") == []


def test_columns_with_types(client: Client, schema: str, table: str) -> None:
    found = call(client, "columns", "lakehouse", schema, "sample", "%")
    shown = [(row["COLUMN_NAME"], row["TYPE_NAME"], row["NULLABLE"]) for row in found]
    assert shown == [
        ("id", "BIGINT", 0),
        ("tags", "MAP<STRING,ARRAY<INT>>", 1),
        ("price", "DECIMAL(10,2)", 1),
        ("code", "VARCHAR(5)", 1),
        ("at", "TIMESTAMP", 1),
    ]
    assert found[0]["REMARKS"] == "the key"
    assert (found[2]["COLUMN_SIZE"], found[2]["DECIMAL_DIGITS"]) == (10, 2)


def test_information_schema(client: Client, schema: str, table: str) -> None:
    (row,) = client.rows(
        "SELECT table_type, data_source_format, comment, last_altered FROM "
        "system.information_schema.tables "
        f"WHERE table_schema = '{schema}' AND table_name = 'sample'"
    )
    assert (row["table_type"], row["data_source_format"]) == ("MANAGED", "DELTA")
    assert row["comment"] == "a sample: one"
    history = client.rows(f"DESCRIBE HISTORY {table} LIMIT 1")
    assert row["last_altered"] == history[0]["timestamp"]
    columns = client.rows(
        "SELECT c.column_name, c.full_data_type, c.is_nullable, c.comment FROM "
        "lakehouse.information_schema.columns c "
        f"WHERE c.table_schema = '{schema}' AND c.table_name = 'sample' ORDER BY ordinal_position"
    )
    assert columns[0] == {
        "column_name": "id",
        "full_data_type": "bigint",
        "is_nullable": "NO",
        "comment": "the key",
    }
    assert columns[3]["full_data_type"] == "varchar(5)"


def test_information_schema_agrees_with_the_calls(client: Client, schema: str, table: str) -> None:
    listed = client.rows(
        f"SELECT table_name FROM system.information_schema.tables WHERE table_schema = '{schema}'"
    )
    called = call(client, "tables", "lakehouse", schema)
    assert {r["table_name"] for r in listed} == {r["TABLE_NAME"] for r in called}


def test_information_schema_in_unions_joins_and_subqueries(
    client: Client, schema: str, table: str
) -> None:
    views = "system.information_schema"
    here = f"table_schema = '{schema}'"
    tables = client.rows(f"SELECT table_schema, table_name FROM {views}.tables")
    columns = client.rows(f"SELECT table_schema, table_name FROM {views}.columns")
    own = [row for row in columns if row == {"table_schema": schema, "table_name": "sample"}]
    assert len(own) == 5
    assert 0 < len(own) < len(columns)

    def count(sql: str) -> int:
        (row,) = client.rows(f"SELECT count(1) AS n FROM ({sql})")
        return int(row["n"])

    assert count(
        f"SELECT table_name FROM {views}.columns WHERE {here} AND table_name = 'sample'"
        f" UNION ALL SELECT table_name FROM {views}.tables"
    ) == len(own) + len(tables)
    assert count(
        f"SELECT t.table_name FROM {views}.tables AS t JOIN {views}.columns AS c"
        f" ON c.table_name = t.table_name WHERE t.{here} AND t.table_name = 'sample'"
    ) == sum(row["table_name"] == "sample" for row in columns)
    assert count(
        f"SELECT t.table_name FROM {views}.tables t LEFT JOIN {views}.columns c"
        f" ON c.{here} AND c.table_name = 'sample' AND t.table_name = c.table_name AND t.{here}"
    ) == len(tables) - 1 + len(own)
    assert count(
        f"SELECT table_name FROM {views}.columns WHERE table_name IN"
        f" (SELECT table_name FROM {views}.tables WHERE {here} AND table_name = 'sample')"
    ) == sum(row["table_name"] == "sample" for row in columns)
    (joined,) = client.rows(
        "SELECT count(DISTINCT system.information_schema.columns.column_name) AS n"
        f" FROM {views}.tables JOIN {views}.columns USING (table_schema, table_name)"
        f" WHERE {here} AND information_schema.tables.table_name = 'sample'"
    )
    assert joined == {"n": 5}
    (whole,) = [
        row
        for row in client.rows(f"TABLE {views}.tables")
        if (row["table_schema"], row["table_name"]) == (schema, "sample")
    ]
    assert whole["comment"] == "a sample: one"


# Governance


def governed(client: Client, view: str, columns: str, schema: str) -> list[tuple[Any, ...]]:
    key = "schema_name" if view.endswith("tags") else "table_schema"
    rows = client.rows(
        f"SELECT {columns} FROM system.information_schema.{view} WHERE {key} = '{schema}' "
        "AND table_name = 'governed' ORDER BY ALL"
    )
    return [tuple(row.values()) for row in rows]


def test_tags_masks_filters_and_keys_are_recorded(client: Client, schema: str) -> None:
    name = f"lakehouse.{schema}.governed"
    client.rows(f"CREATE TABLE {name} (id BIGINT NOT NULL, email STRING)")
    client.rows(f"ALTER TABLE {name} SET TAGS ('layer' = 'gold', 'pii')")
    client.rows(f"ALTER TABLE {name} ALTER COLUMN email SET TAGS ('pii' = 'yes')")
    client.rows(f"ALTER TABLE {name} ALTER COLUMN email SET MASK lakehouse.gold.hide")
    client.rows(f"ALTER TABLE {name} SET ROW FILTER lakehouse.gold.own ON (id)")
    client.rows(f"ALTER TABLE {name} ADD CONSTRAINT pk PRIMARY KEY (id)")
    assert governed(client, "table_tags", "tag_name, tag_value", schema) == [
        ("layer", "gold"),
        ("pii", ""),
    ]
    assert governed(client, "column_tags", "column_name, tag_value", schema) == [("email", "yes")]
    assert governed(client, "column_masks", "column_name, mask_name", schema) == [
        ("email", "lakehouse.gold.hide")
    ]
    assert governed(client, "row_filters", "filter_name, target_columns", schema) == [
        ("lakehouse.gold.own", "id")
    ]
    assert governed(client, "table_constraints", "constraint_type", schema) == [("PRIMARY KEY",)]
    client.rows(f"ALTER TABLE {name} UNSET TAGS ('pii')")
    client.rows(f"ALTER TABLE {name} RENAME TO {schema}.renamed")
    client.rows(f"ALTER TABLE {schema}.renamed RENAME TO lakehouse.{schema}.governed")
    assert governed(client, "table_tags", "tag_name", schema) == [("layer",)]
    client.rows(f"DROP TABLE {name}")
    assert governed(client, "table_tags", "tag_name", schema) == []


def test_what_unity_catalog_refuses_about_keys_is_refused(client: Client, schema: str) -> None:
    client.rows(
        f"CREATE TABLE {schema}.parents (id BIGINT NOT NULL, part STRING NOT NULL, note STRING)"
    )
    parent, child = f"ALTER TABLE {schema}.parents", f"ALTER TABLE {schema}.children"
    leads = f"FOREIGN KEY (id, part) REFERENCES lakehouse.{schema}.parents (id, part)"
    made = f"CREATE TABLE {schema}.children (id BIGINT, part STRING, CONSTRAINT leads {leads})"
    with pytest.raises(ServerOperationError, match="does not have a primary key"):
        client.rows(made)
    assert not client.rows(f"SHOW TABLES IN {schema} LIKE 'children'")
    with pytest.raises(ServerOperationError, match="`note` is nullable"):
        client.rows(f"{parent} ADD CONSTRAINT known PRIMARY KEY (id, note) RELY")
    client.rows(f"{parent} ADD CONSTRAINT known PRIMARY KEY (id, part) RELY")
    with pytest.raises(ServerOperationError, match="'known' already exists"):
        client.rows(f"{parent} ADD CONSTRAINT other PRIMARY KEY (id)")
    client.rows(made)
    with pytest.raises(ServerOperationError, match="does not have a primary key"):
        client.rows(
            f"{child} ADD CONSTRAINT half FOREIGN KEY (id) REFERENCES {schema}.parents (id)"
        )
    with pytest.raises(ServerOperationError, match="with non empty child constraints"):
        client.rows(f"{parent} DROP CONSTRAINT known")
    client.rows(f"{parent} DROP CONSTRAINT known CASCADE")
    left = "constraint_name FROM system.information_schema.table_constraints"
    assert not client.rows(
        f"SELECT {left} WHERE table_schema = '{schema}' AND table_name IN ('parents', 'children')"
    )


def test_not_null_set_afterwards_is_enforced(client: Client, schema: str) -> None:
    name = f"{schema}.filled"
    client.rows(f"CREATE TABLE {name} AS SELECT 1 AS id, 'x' AS s")
    for _ in range(2):
        client.rows(f"ALTER TABLE {name} ALTER COLUMN id SET NOT NULL")
    nullable = (
        "SELECT is_nullable FROM system.information_schema.columns WHERE "
        f"table_schema = '{schema}' AND table_name = 'filled' AND column_name = 'id'"
    )
    assert client.value(nullable) == "NO"
    with pytest.raises(ServerOperationError, match="DELTA_VIOLATE_CONSTRAINT_WITH_VALUES"):
        client.rows(f"INSERT INTO {name} VALUES (NULL, 'y')")
    client.rows(f"ALTER TABLE {name} ALTER COLUMN id DROP NOT NULL")
    assert client.value(nullable) == "YES"
    client.rows(f"INSERT INTO {name} VALUES (NULL, 'y')")
    assert client.value(f"SELECT count(*) FROM {name}") == 2


def test_not_null_from_the_start_is_enforced_and_can_be_dropped(
    client: Client, schema: str
) -> None:
    name = f"{schema}.strict"
    client.rows(f"CREATE TABLE {name} (id BIGINT NOT NULL)")
    with pytest.raises(ServerOperationError, match="DELTA_NOT_NULL_CONSTRAINT_VIOLATED"):
        client.rows(f"INSERT INTO {name} VALUES (NULL)")
    client.rows(f"ALTER TABLE {name} ALTER COLUMN id DROP NOT NULL")
    client.rows(f"INSERT INTO {name} VALUES (NULL)")
    assert client.value(f"SELECT count(*) FROM {name}") == 1


def test_insert_replace_on_replaces_the_keys_of_the_new_rows(client: Client, schema: str) -> None:
    name = f"{schema}.replaced"
    client.rows(f"CREATE TABLE {name} AS SELECT id, 'old' AS v FROM range(3)")
    client.rows(
        f"INSERT INTO TABLE {name} AS t REPLACE ON (t.id <=> s.id) "
        "(SELECT * FROM VALUES (1L, 'new'), (1L, 'new too'), (9L, 'first') AS x(id, v)) AS s"
    )
    rows = client.rows(f"SELECT id, v FROM {name} ORDER BY ALL")
    assert [tuple(row.values()) for row in rows] == [
        (0, "old"),
        (1, "new"),
        (1, "new too"),
        (2, "old"),
        (9, "first"),
    ]


def test_insert_by_name_replace_where(client: Client, schema: str) -> None:
    name = f"{schema}.ranged"
    client.rows(f"CREATE TABLE {name} AS SELECT id, 'old' AS v FROM range(3)")
    client.rows(f"INSERT INTO {name} BY NAME REPLACE WHERE id >= 1 SELECT 'new' AS v, 2L AS id")
    rows = client.rows(f"SELECT id, v FROM {name} ORDER BY ALL")
    assert [tuple(row.values()) for row in rows] == [(0, "old"), (2, "new")]


def test_comments(client: Client, schema: str) -> None:
    client.rows(f"CREATE TABLE {schema}.commented (id INT)")
    client.rows(f"COMMENT ON COLUMN lakehouse.{schema}.commented.id IS 'it\\'s a \"key\"'")
    client.rows(f"COMMENT ON TABLE lakehouse.{schema}.commented IS 'two\\nlines: of text'")
    client.rows(f"CREATE VIEW {schema}.commented_view AS SELECT 1 AS a")
    client.rows(f"COMMENT ON VIEW {schema}.commented_view IS 'a view'")
    (column,) = client.rows(f"DESCRIBE TABLE {schema}.commented")
    assert column["comment"] == 'it\'s a "key"'
    comments = client.rows(
        "SELECT table_name, comment FROM system.information_schema.tables "
        f"WHERE table_schema = '{schema}' AND table_name LIKE 'commented%' ORDER BY 1"
    )
    assert [row["comment"] for row in comments] == ["two\nlines: of text", "a view"]
