{{ config(unique_key=['user_id', 'workout_id', 'session_id', 'began_at', 'is_orphan']) }}

{% set session = ['user_id', 'workout_id', 'session_id'] %}
with
{% call affected_cte() %}
    select
        user_id,
        workout_id,
        session_id
    from {{ changes_of(ref('stg_kafka__workout')) }}
    where user_id is not null
{% endcall %}

events as (

    select distinct
        user_id,
        workout_id,
        session_id,
        action,
        occurred_at
    from {{ affected_only(ref('stg_kafka__workout'), by=session) }}
    where user_id is not null

),

-- At one instant the stop comes first: it ends what was running, the start begins anew.
neighbours as (

    select
        *,
        lag(action) over session_events as previous_action,
        lead(action) over session_events as next_action,
        lead(occurred_at) over session_events as next_at
    from events
    window session_events as (
        partition by user_id, workout_id, session_id order by occurred_at, if(action = 'stop', 0, 1)
    )

),

sessions as (

    select
        user_id,
        workout_id,
        session_id,
        if(action = 'start', occurred_at, null) as started_at,
        case
            when action = 'stop' then occurred_at
            when next_action = 'stop' then next_at
        end as ended_at
    from neighbours
    -- A stop behind a start is that start's end; any other is an orphan of its own.
    where action = 'start' or previous_action is null or previous_action <> 'start'

),

final as (

    select
        user_id,
        workout_id,
        session_id,
        case
            when started_at is null then 'orphan_stop'
            when ended_at is null then 'open'
            when
                {{ micros_between('started_at', 'ended_at') }}
                >= cast({{ var('max_session_hours') }} * 3600000000 as bigint)
                then 'too_long'
            else 'completed'
        end as status,
        started_at is null as is_orphan,
        coalesce(started_at, ended_at) as began_at,
        started_at,
        ended_at
    from sessions

)

{{ recomputed(by=session) }}
