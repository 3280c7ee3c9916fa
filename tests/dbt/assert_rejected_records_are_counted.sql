-- Each rejected record has its row, and each row its count.
with listed as (

    select
        feed,
        cast(ingested_at as date) as arrival_date,
        count(*) as rejected
    from {{ ref('rejected_records') }}
    group by all

)

select
    health.feed,
    health.arrival_date,
    health.rejected as counted,
    listed.rejected as listed
from {{ ref('pipeline_health') }} as health
left join listed on health.feed = listed.feed and health.arrival_date = listed.arrival_date
where health.rejected <> coalesce(listed.rejected, 0)
