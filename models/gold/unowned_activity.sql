{{ config(materialized='view') }}

with unowned as (

    select
        'bpm' as feed,
        cast(measured_at as date) as `date`
    from {{ ref('heart_rates') }}
    where user_id is null
    union all
    select
        'gym_logins' as feed,
        cast(login_at as date) as `date`
    from {{ ref('gym_visits') }}
    where user_id is null

)

select
    feed,
    count(*) as records,
    `date`
from unowned
group by all
