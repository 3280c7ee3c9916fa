"""How the tables of two schemas or workspaces differ: in how many rows and which columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ingestion.literals import literal
from lakehouse.content import LINEAGE
from lakehouse.endpoint.governance import Governance
from lakehouse.home import Home, WorkspaceError

_LAYERS = ("silver", "gold")


@dataclass(frozen=True)
class Side:
    """The tables of one side, each as SQL names it, and their keys as far as they are declared."""

    name: str
    tables: Mapping[str, str]
    keys: Mapping[str, Sequence[str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Difference:
    """One table. Rows that both sides have are compared by its key, column by column; without a key
    a row is on both sides if it is the same in all columns.

    `changed`: rows whose other columns differ, and `columns`, in how many rows each does.
    `other_columns`: columns that one side lacks or has in another type; they are not compared.
    """

    table: str
    only_a: int
    only_b: int
    changed: int
    columns: Mapping[str, int]
    other_columns: Sequence[str]

    @property
    def same(self) -> bool:
        return not (self.only_a or self.only_b or self.changed or self.other_columns)


def of_home(root: Path) -> Side:
    """The tables of a workspace, read from its files: it need not be up.

    Raises WorkspaceError if the folder holds none.
    """
    home = Home(root.expanduser().resolve(), 0)
    tables = {
        f"{layer}.{log.parent.name}": f"delta.`{log.parent}`"
        for layer in _LAYERS
        for log in home.warehouse.glob(f"{layer}.db/*/_delta_log")
    }
    if not tables:
        raise WorkspaceError(f"{root} is no workspace with tables of {' and '.join(_LAYERS)}.")
    noted = Governance(home.governance).tables().items()
    keys = {f"{schema}.{table}": notes.primary_key() for (schema, table), notes in noted}
    return Side(str(root), tables, {table: key.columns for table, key in keys.items() if key})


def of_schema(cursor: Any, name: str) -> Side:
    """The tables of `schema` or `catalog.schema`. Raises WorkspaceError if it has none."""
    catalog, _, schema = name.rpartition(".")
    within = f"`{catalog}`." if catalog else ""
    cursor.execute(
        f"select table_name from {within}information_schema.tables "
        f"where table_schema = {literal(schema)} and table_type <> 'VIEW'"
    )
    found = sorted(row[0] for row in cursor.fetchall())
    if not found:
        raise WorkspaceError(f"{name} has no tables: name a schema, or the folder of a workspace.")
    cursor.execute(
        "select used.table_name, used.column_name "
        f"from {within}information_schema.key_column_usage as used "
        f"inner join {within}information_schema.table_constraints as stated "
        "using (constraint_schema, constraint_name) where stated.constraint_type = 'PRIMARY KEY' "
        f"and used.table_schema = {literal(schema)} order by used.ordinal_position"
    )
    keys: dict[str, list[str]] = {}
    for table, column in cursor.fetchall():
        keys.setdefault(table, []).append(column)
    return Side(name, {table: f"{within}`{schema}`.`{table}`" for table in found}, keys)


def differences(cursor: Any, a: Side, b: Side) -> list[Difference]:
    """Of each table that both sides have, by name."""
    return [_difference(cursor, table, a, b) for table in sorted(a.tables.keys() & b.tables.keys())]


def _difference(cursor: Any, table: str, a: Side, b: Side) -> Difference:
    types = [_columns(cursor, side.tables[table]) for side in (a, b)]
    shared = [name for name, kind in types[0].items() if types[1].get(name) == kind]
    key = a.keys.get(table) or b.keys.get(table) or []
    if not set(key) <= set(shared):
        key = []
    compared = [name for name in shared if name not in key]
    cursor.execute(statement(a.tables[table], b.tables[table], key, compared))
    only_a, only_b, changed, *by_column = (int(value or 0) for value in cursor.fetchone())
    columns = {name: n for name, n in zip(compared, by_column, strict=False) if n}
    others = sorted(types[0].keys() ^ types[1].keys() | (types[0].keys() - set(shared)))
    return Difference(table, only_a, only_b, changed, columns, others)


def _columns(cursor: Any, relation: str) -> dict[str, str]:
    """Names and types, without what dbt keeps about its own runs."""
    cursor.execute(f"describe table {relation}")
    found = {}
    for name, kind, *_ in cursor.fetchall():
        if not name or name.startswith("#"):  # partitions follow
            break
        if name not in LINEAGE:
            found[name] = kind
    return found


def statement(a: str, b: str, key: Sequence[str], compared: Sequence[str]) -> str:
    """One row: rows only in `a`, only in `b`, changed, and for each compared column its changes.

    Without a key the last two are left out: rows are counted as often as they stand there.
    """
    if not key:
        each = ", ".join(f"`{name}`" for name in compared)
        return (
            "select sum(greatest(n, 0)) as n0, sum(greatest(-n, 0)) as n1, 0 as n2 from ("
            f"select sum(n) as n from ("
            f"select {each}, 1 as n from {a} union all select {each}, -1 as n from {b}) "
            f"group by {each})"
        )
    on = " and ".join(f"a.`{name}` = b.`{name}`" for name in key)
    differs = [f"not (a.`{name}` <=> b.`{name}`)" for name in compared]
    both = f"a.`{key[0]}` = b.`{key[0]}`"  # a key has no nulls: null is the side that is missing
    counted = [
        f"count_if(b.`{key[0]}` is null)",
        f"count_if(a.`{key[0]}` is null)",
        f"count_if({both} and ({' or '.join(differs) or 'false'}))",
        *(f"count_if({both} and {one})" for one in differs),
    ]
    named = ", ".join(f"{one} as n{number}" for number, one in enumerate(counted))
    return f"select {named} from {a} as a full outer join {b} as b on {on}"


def report(found: Sequence[Difference], a: Side, b: Side, markdown: bool) -> list[str]:
    """Lines for people: tables that differ, then how many do not and which one side alone has."""
    heads = ("table", f"only in {a.name}", f"only in {b.name}", "changed", "columns")
    rows = [
        (
            one.table,
            f"{one.only_a:,}",
            f"{one.only_b:,}",
            f"{one.changed:,}",
            ", ".join(
                [
                    *(f"{name} {n:,}" for name, n in one.columns.items()),
                    *(f"{name} (not on both sides alike)" for name in one.other_columns),
                ]
            ),
        )
        for one in found
        if not one.same
    ]
    same = sum(one.same for one in found)
    lines = []
    if rows and markdown:
        lines = [_cells(heads), _cells(["---", "---:", "---:", "---:", "---"])]
        lines += [_cells(row) for row in rows] + [""]
    elif rows:
        widths = [max(len(row[i]) for row in (heads, *rows)) for i in range(4)]
        for row in (heads, *rows):
            cells = [row[0].ljust(widths[0])]
            cells += [row[i].rjust(widths[i]) for i in (1, 2, 3)]
            lines.append("  ".join([*cells, row[4]]).rstrip())
    lines.append(f"{same} of {len(found)} tables are the same.")
    for mine, other in ((a, b), (b, a)):
        if alone := sorted(mine.tables.keys() - other.tables.keys()):
            lines.append(f"Only in {mine.name}: {', '.join(alone)}.")
    return lines


def _cells(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"
