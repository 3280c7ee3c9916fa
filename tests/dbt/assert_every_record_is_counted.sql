-- Nothing is dropped without a word: per feed and arrival date, `pipeline_health` counts each record
-- that staging holds, and each rejected one once.
with records as (

    select
        feed,
        cast(ingested_at as date) as arrival_date,
        count(*) as received,
        count(reject_reason) as rejected
    from {{ ref('records') }}
    group by all

)

select
    coalesce(records.feed, health.feed) as feed,
    coalesce(records.arrival_date, health.arrival_date) as arrival_date
from records
full outer join {{ ref('pipeline_health') }} as health
    on records.feed = health.feed and records.arrival_date = health.arrival_date
where
    not (records.received <=> health.received)
    or records.rejected <> health.rejected
    or health.rejected <> aggregate(health.rejected_by_reason, 0l, (sum, one) -> sum + one.records)
