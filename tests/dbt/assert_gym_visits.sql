-- Each accepted login is in gym_visits, once by MAC address, gym and login, and nothing else is there.
{{ config(group='silver') }}

with both as (

    select
        mac_address,
        gym_id,
        login_at,
        0 as facts,
        1 as records
    from {{ ref('stg_azure_sql__gym_logins') }}
    where reject_reason is null and erased_at is null
    union all
    select
        mac_address,
        gym_id,
        login_at,
        1 as facts,
        0 as records
    from {{ ref('gym_visits') }}

)

select gym_id
from both
group by mac_address, gym_id, login_at
having sum(facts) <> 1 or sum(records) = 0
