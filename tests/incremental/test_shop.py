"""One plain build is right after anything: the mechanism in a project that took it over."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator

import pytest

from tests.incremental.shop import TABLES, Shop, shop, variables
from tests.support import Workspace

_MODELS = "models/models.yml"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory, workspace: Workspace) -> Iterator[Shop]:
    """The project, built once from five orders."""
    made = shop(tmp_path_factory.mktemp("toy") / "shop", workspace)
    for customer, city, amount, day in (
        ("a", "X", 10, 1),
        ("a", "Y", 60, 2),
        ("b", "X", 160, 1),
        ("b", "Z", 2000, 5),
        ("c", "X", 40, 3),
    ):
        made.order(customer, city, amount, day)
    try:
        assert set(made.build().values()) == {"NEW: no table", "INSERT 3", "OK"}
        yield made
    finally:
        for schema in ("shop", "shop_pr", "raw"):
            workspace.sql(f"drop schema if exists {schema} cascade")


@pytest.fixture
def toy(built: Shop) -> Shop:
    """The project as it is committed: what a test before did to it is taken back, and built."""
    built.workspace.sql("drop schema if exists shop_pr cascade")
    built.restore()
    built.build()
    built.assert_right()
    return built


def _ways(said: dict[str, str]) -> dict[str, str]:
    """The nodes that were built, and how."""
    return {name: way.split(":")[0] for name, way in said.items() if way != "NOTHING NEW"}


def _nothing_new(toy: Shop) -> None:
    before = toy.commits()
    assert not _ways(toy.build())
    assert toy.commits() == before


def test_new_rows_and_compaction(toy: Shop) -> None:
    _nothing_new(toy)
    toy.order("a", "Y", 5, 2, arrived=9)  # late
    said = toy.build()
    assert _ways(said) == {
        "stg_orders": "KEYS", "daily_amounts": "KEYS", "moves": "KEYS",
        "customers": "WHOLE", "greatest_days": "WHOLE",
    }  # fmt: skip
    toy.assert_right()
    _nothing_new(toy)
    toy.workspace.sql("optimize raw.orders")
    toy.workspace.sql("optimize shop.stg_orders")
    before = toy.commits()
    assert not _ways(toy.build())
    assert toy.commits() == before


def test_rows_of_a_source_that_change_are_followed(toy: Shop) -> None:
    key = toy.order("c", "Q", 70, 3)
    toy.workspace.sql(
        f"update raw.orders set amount = 90, city = 'R' where order_key in ('{key}', '2')"
    )
    toy.workspace.sql(f"update raw.orders set amount = 95 where order_key = '{key}'")
    assert _ways(toy.build())["stg_orders"] == "KEYS"
    toy.assert_right()


def test_edits_reach_what_they_touch_and_nothing_else(toy: Shop) -> None:
    toy.edit("macros/rules.sql", "1000", "3000")
    assert _ways(toy.build()) == {
        "stg_orders": "WHOLE", "daily_amounts": "KEYS", "moves": "KEYS",
        "customers": "WHOLE", "greatest_days": "WHOLE",
    }  # fmt: skip
    toy.assert_right()
    said = toy.build(*variables(least_amount=50))
    assert said["stg_orders"] == "WHOLE: code"
    toy.assert_right()
    assert _ways(toy.build(*variables(least_amount=50, unrelated=2))) == {}
    toy.build()
    toy.assert_right()
    toy.edit("seeds/bands.csv", "high,100", "high,90")
    toy.edit("seeds/bands.csv", "middle,50,100", "middle,50,90")
    assert _ways(toy.build())["daily_amounts"] == "WHOLE"
    toy.assert_right()
    toy.edit("models/daily_amounts.sql", "sum(amount)", "sum(amount) + 1")
    said = toy.build()
    assert said["daily_amounts"] == "WHOLE: code"
    assert "stg_orders" not in _ways(said)
    toy.assert_right()
    toy.edit("models/great_days.sql", ">= 100", ">= 50")
    assert set(_ways(toy.build())) == {"great_days", "greatest_days"}
    toy.assert_right()
    toy.edit("models/moves.sql", "max(city)", "min(city)")
    toy.build()
    toy.assert_right()
    _nothing_new(toy)


def test_what_only_looks_different_computes_no_row(toy: Shop) -> None:
    toy.edit(
        _MODELS,
        "{name: days, data_type: bigint}",
        "{name: days, data_type: bigint, description: Days}",
    )
    toy.build()
    before = toy.workspace.sql("describe history shop.customers")
    toy.edit(_MODELS, "description: Days", "description: Days with orders")
    said = toy.build()
    assert {"customers": "KEYS: look"}.items() <= said.items()
    assert set(_ways(said)) == {"customers"}
    after = toy.workspace.sql("describe history shop.customers")
    assert {row["operation"] for row in after[: len(after) - len(before)]} <= {
        "CHANGE COLUMN",
        "SET TBLPROPERTIES",
    }
    described = {
        row["col_name"]: row["comment"] for row in toy.workspace.sql("describe shop.customers")
    }
    assert described["days"] == "Days with orders"
    toy.assert_right()


def test_columns_come_go_and_change(toy: Shop) -> None:
    toy.edit(
        _MODELS,
        "{name: days, data_type: bigint}",
        "{name: days, data_type: bigint}\n      - {name: last, data_type: date}",
    )
    toy.edit("models/customers.sql", "count(*) as days", "count(*) as days,\n    max(date) as last")
    assert toy.build()["customers"] == "NEW: columns"
    toy.assert_right()
    toy.edit(_MODELS, "{name: days, data_type: bigint}", "{name: days, data_type: int}")
    toy.edit("models/customers.sql", "count(*) as days", "cast(count(*) as int) as days")
    assert toy.build()["customers"] == "NEW: columns"
    toy.edit(_MODELS, "\n      - {name: last, data_type: date}", "")
    toy.edit("models/customers.sql", ",\n    max(date) as last", "")
    assert toy.build()["customers"] == "NEW: columns"
    toy.assert_right()
    # Of the log, and so of the snapshot.
    toy.edit(
        _MODELS,
        "{name: city, data_type: string}\n      - {name: ordered_at, data_type: timestamp}\n\n",
        "{name: city, data_type: int}\n      - {name: ordered_at, data_type: timestamp}\n\n",
    )
    toy.edit("models/moves.sql", "max(city)", "max(length(city))")
    said = toy.build()
    assert (said["moves"], said["customer_history"]) == ("NEW: columns", "NEW: columns")
    toy.assert_right()
    _nothing_new(toy)


def test_tables_made_anew_dropped_or_restored(toy: Shop) -> None:
    said = toy.build("--full-refresh", "--select", "stg_orders")
    assert said == {"stg_orders": "NEW: full refresh"}
    said = toy.build()
    assert (said["daily_amounts"], said["moves"]) == (
        "WHOLE: shop.stg_orders anew",
        "WHOLE: shop.stg_orders anew",
    )
    toy.assert_right()
    toy.workspace.sql("drop table shop.daily_amounts")
    assert toy.build()["daily_amounts"] == "NEW: no table"
    toy.assert_right()
    version = toy.commits()["stg_orders"]
    toy.order("d", "X", 30, 7)
    toy.build()
    toy.workspace.sql(f"restore table shop.stg_orders to version as of {version}")
    said = toy.build()
    assert (said["stg_orders"], said["daily_amounts"]) == (
        "KEYS: raw.orders",
        "WHOLE: shop.stg_orders anew",
    )
    toy.assert_right()
    _nothing_new(toy)


def test_a_change_feed_that_is_gone(toy: Shop) -> None:
    toy.order("d", "X", 30, 7)
    toy.build("--select", "stg_orders")
    toy.workspace.sql(
        "alter table shop.stg_orders set tblproperties "
        "('delta.deletedFileRetentionDuration' = 'interval 0 hours')"
    )
    toy.workspace.sql("vacuum shop.stg_orders")
    toy.workspace.sql(
        "alter table shop.stg_orders unset tblproperties ('delta.deletedFileRetentionDuration')"
    )
    assert toy.build()["daily_amounts"] == "WHOLE: shop.stg_orders anew"
    toy.assert_right()
    toy.workspace.sql("vacuum shop.stg_orders")
    _nothing_new(toy)


def test_a_change_feed_that_delta_no_longer_serves(toy: Shop) -> None:
    toy.edit("macros/incremental/history.sql", "days=7", "days=0")
    toy.build()
    toy.order("d", "X", 30, 7)
    said = toy.build()
    assert said["stg_orders"] == "WHOLE: raw.orders anew"
    assert said["daily_amounts"] == "WHOLE: shop.stg_orders anew"
    toy.assert_right()


def test_a_build_that_dies_between_rows_and_mark(toy: Shop) -> None:
    toy.edit("models/daily_amounts.sql", "sum(amount)", "sum(amount) * 2")
    with toy.killed_behind_the_rows_of("daily_amounts"):
        toy.run("build")
    toy.edit("models/daily_amounts.sql", "sum(amount) * 2", "sum(amount)")
    assert toy.build()["daily_amounts"] == "WHOLE: code"
    toy.assert_right()
    toy.order("a", "Y", 7, 2, arrived=9)
    for table in ("stg_orders", "daily_amounts"):
        with toy.killed_behind_the_rows_of(table):
            toy.run("build")
    toy.build()
    toy.assert_right()
    _nothing_new(toy)


@pytest.mark.drill
def test_two_builds_at_once(toy: Shop) -> None:
    for table in TABLES:
        toy.workspace.sql(f"drop table shop.{table}")
    other = Shop(toy.folder.with_name("other"), toy.workspace)
    shutil.copytree(toy.folder, other.folder)
    beside = threading.Thread(
        target=lambda: toy.workspace.dbt_on(other.folder, "build", check=False)
    )
    beside.start()
    toy.run("build")
    beside.join()
    toy.build()
    toy.assert_right()
    _nothing_new(toy)


def test_empty_and_sample_are_refused_for_what_is_there(toy: Shop) -> None:
    assert "which is there" in toy.refused("--empty")
    _nothing_new(toy)
    toy.assert_right()
    pr = variables(schema="shop_pr")
    toy.build("--empty", *pr)
    assert not toy.workspace.sql("select * from shop_pr.stg_orders")
    assert toy.build(*pr)["stg_orders"] == "WHOLE: code"
    toy.assert_right("shop_pr")


def test_a_pull_request_defers_or_clones(toy: Shop) -> None:
    toy.build(command="compile")
    state = toy.folder.with_name("state")
    shutil.copytree(toy.folder / "target", state)
    pr = variables(schema="shop_pr")
    deferred = ("--defer", "--state", str(state), "--select", "daily_amounts", *pr)
    assert toy.build(*deferred)["daily_amounts"] == "NEW: no table"
    assert not _ways(toy.build(*deferred))
    toy.order("a", "Y", 7, 2, arrived=9)
    toy.build("--select", "stg_orders")
    assert toy.build(*deferred)["daily_amounts"] == "KEYS: shop.stg_orders"
    rows = "select * from {}.daily_amounts order by customer_id, date"
    toy.build()
    assert toy.workspace.sql(rows.format("shop_pr")) == toy.workspace.sql(rows.format("shop"))
    toy.workspace.sql("drop schema shop_pr cascade")
    toy.build("--state", str(state), *pr, command="clone")
    toy.build(*pr)
    toy.assert_right("shop_pr")
    assert not _ways(toy.build(*pr))


def test_a_source_that_lost_records_is_refused(toy: Shop) -> None:
    toy.workspace.sql("delete from raw.orders where order_key = '1'")
    assert " records for its " in toy.refused()
    version = toy.workspace.sql("describe history raw.orders limit 1")[0]["version"] - 1
    toy.workspace.sql(f"restore table raw.orders to version as of {version}")
    toy.build()
    toy.assert_right()
    toy.make_raw()
    assert "was made anew" in toy.refused()
    toy.workspace.sql("drop table shop.stg_orders")
    toy.build()
    toy.assert_right()


def test_tables_of_models_that_are_gone_are_dropped(toy: Shop) -> None:
    toy.workspace.sql("create table shop.theirs as select 1 as one")
    for name in ("greatest_days", "great_days"):
        (toy.folder / "models" / f"{name}.sql").unlink()
    toy.edit(
        _MODELS,
        "  - name: greatest_days\n    columns:\n"
        "      - {name: customer_id, data_type: string}\n"
        "      - {name: amount, data_type: bigint}\n",
        "",
    )
    toy.build("--select", "stg_orders")
    names = "select table_name from information_schema.tables where table_schema = 'shop'"
    assert "greatest_days" in {row["table_name"] for row in toy.workspace.sql(names)}
    toy.build()
    left = {row["table_name"] for row in toy.workspace.sql(names)}
    assert left == {
        "stg_orders",
        "daily_amounts",
        "customers",
        "moves",
        "customer_history",
        "bands",
        "theirs",
    }


def test_an_edit_of_the_mechanism_computes_all_whole(toy: Shop) -> None:
    toy.edit("macros/incremental/history.sql", "{% set counts = {", "{% set  counts = {")
    said = toy.build()
    assert {said[name] for name in (*TABLES, "customer_history")} == {"WHOLE: code"}
    toy.assert_right()
    _nothing_new(toy)
