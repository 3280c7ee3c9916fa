-- Each accepted reading is in heart_rates, once by device and time, and nothing else is there.
{{ config(group='silver') }}

with both as (

    select
        device_id,
        measured_at,
        0 as facts,
        1 as records
    from {{ ref('stg_kafka__bpm') }}
    where reject_reason is null and erased_at is null
    union all
    select
        device_id,
        measured_at,
        1 as facts,
        0 as records
    from {{ ref('heart_rates') }}

)

select device_id
from both
group by device_id, measured_at
having sum(facts) <> 1 or sum(records) = 0
