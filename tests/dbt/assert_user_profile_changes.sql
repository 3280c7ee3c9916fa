-- Each accepted change is in user_profile_changes, once by user and time, and nothing else is there.
{{ config(group='silver') }}

with both as (

    select
        user_id,
        changed_at,
        0 as facts,
        1 as records
    from {{ ref('stg_kafka__user_info') }}
    where reject_reason is null and erased_at is null
    union all
    select
        user_id,
        changed_at,
        1 as facts,
        0 as records
    from {{ ref('user_profile_changes') }}

)

select user_id
from both
group by user_id, changed_at
having sum(facts) <> 1 or sum(records) = 0
