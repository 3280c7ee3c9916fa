{{ config(unique_key=['user_id', 'workout_id', 'session_id', 'started_at', 'ended_at']) }}

with
{% if is_incremental() %}
affected as (

    select distinct
        user_id,
        workout_id,
        session_id
    from {{ changes_of(ref('stg_kafka__workout')) }}
    where user_id is not null

),
{% endif %}

events as (

    select distinct
        records.user_id,
        records.workout_id,
        records.session_id,
        records.action,
        records.occurred_at
    from {{ ref('stg_kafka__workout') }} as records
    {% if is_incremental() %}
    left semi join affected
        on
            records.user_id = affected.user_id
            and records.workout_id = affected.workout_id
            and records.session_id = affected.session_id
    {% endif %}
    where records.user_id is not null

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
                {{ microseconds_between('started_at', 'ended_at') }}
                >= cast({{ var('max_session_hours') }} * 3600000000 as bigint)
                then 'too_long'
            else 'completed'
        end as status,
        started_at,
        ended_at
    from sessions

)

{{ reads_changes_of([ref('stg_kafka__workout')]) }}
{{ recomputed(
    'old.user_id = affected.user_id and old.workout_id = affected.workout_id'
    ~ ' and old.session_id = affected.session_id'
) }}
