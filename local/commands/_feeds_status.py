"""The feeds' lines of `lakehouse status`: who ingests, the newest micro-batch, small files."""

from __future__ import annotations

from local.home import Home


def lines(home: Home) -> list[str]:
    """Lines for people, of a workspace that is up."""
    from pyspark.sql import functions

    from ingestion import bronze, lease, sessions
    from ingestion.care import states

    owners = {
        record.feed: record
        for path in home.leases.glob("*.json")
        if (record := lease.read(path)) is not None and not record.revoked
    }
    with sessions.session(home.connect_url) as spark:
        batches = (
            spark.table(bronze.table_name("ingestion_batches"))
            .groupBy("feed")
            .agg(
                functions.expr("max(started_at)").alias("at"),
                functions.expr("sum(rows)").alias("rows"),
                functions.expr("max_by(lag_records, started_at)").alias("lag"),
            )
            .collect()
        )
        files = states(spark)
    newest = {row.feed: row for row in batches}
    found = [f"{'feed':<22} {'ingested by':<13} {'rows':>10} {'lag':>8}  newest arrival (UTC)"]
    for feed in sorted({*newest, *owners}):
        owner = f"process {owners[feed].pid}" if feed in owners else "-"
        row = newest.get(feed)
        cells = (f"{row.rows:>10} {row.lag:>8}  {row.at:%F %T}") if row else f"{0:>10} {'-':>8}  -"
        found.append(f"{feed:<22} {owner:<13} {cells}")
    many = [f"{s.table} {s.files}" for s in files if s.needs_optimize]
    found.append(
        f"small files: {', '.join(many) or 'none'}"
        + (" (run `lakehouse maintain`)" if many else "")
    )
    return found
