-- Each accepted event begins or ends one session of workout_sessions, and nothing else does.
{{ config(group='silver') }}

with both as (

    select
        user_id,
        workout_id,
        session_id,
        action,
        occurred_at,
        0 as facts,
        1 as records
    from {{ ref('stg_kafka__workout') }}
    where reject_reason is null and erased_at is null
    union all
    select
        user_id,
        workout_id,
        session_id,
        'start' as action,
        started_at as occurred_at,
        1 as facts,
        0 as records
    from {{ ref('workout_sessions') }}
    where started_at is not null
    union all
    select
        user_id,
        workout_id,
        session_id,
        'stop' as action,
        ended_at as occurred_at,
        1 as facts,
        0 as records
    from {{ ref('workout_sessions') }}
    where ended_at is not null

)

select
    user_id,
    workout_id,
    session_id
from both
group by user_id, workout_id, session_id, action, occurred_at
having sum(facts) <> 1 or sum(records) = 0
