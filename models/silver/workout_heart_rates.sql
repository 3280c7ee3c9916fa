{{ config(
    unique_key=['user_id', 'workout_id', 'session_id', 'started_at', 'device_id', 'measured_at']
) }}

{% if is_incremental() %}
{% set affected -%}
    select
        user_id,
        workout_id,
        session_id,
        started_at
    from {{ changes_of(ref('workout_sessions')) }}
    where status = 'completed'
    union
    select
        sessions.user_id,
        sessions.workout_id,
        sessions.session_id,
        sessions.started_at
    from {{ ref('workout_sessions') }} as sessions
    inner join {{ changes_of(ref('heart_rates')) }} as reading_changes
        on
            sessions.user_id = reading_changes.user_id
            and sessions.started_at < reading_changes.measured_at
            and sessions.ended_at >= reading_changes.measured_at
    where sessions.status = 'completed'
{%- endset %}
{% set days = touched_days(affected, 'started_at', hours=var('max_session_hours')) %}
{% endif %}

with
{{ affected_cte(affected) }}

-- A session lies in few days: joined by day, it meets its own days' readings instead of all of its
-- user's.
session_days as (

    select
        sessions.user_id,
        sessions.workout_id,
        sessions.session_id,
        sessions.started_at,
        sessions.ended_at,
        explode(sequence(
            cast(sessions.started_at as date), cast(sessions.ended_at as date), interval 1 day
        )) as session_date
    from {{ ref('workout_sessions') }} as sessions
    {% if is_incremental() %}
    left semi join affected
        on
            sessions.user_id = affected.user_id
            and sessions.workout_id = affected.workout_id
            and sessions.session_id = affected.session_id
            and sessions.started_at = affected.started_at
    {% endif %}
    where sessions.status = 'completed'

),

readings as (

    select
        device_id,
        user_id,
        heart_rate_bpm,
        measured_at,
        cast(measured_at as date) as measured_date
    from {{ ref('heart_rates') }}
    where
        user_id is not null
        {%- if is_incremental() %}
        and {{ on_days(days, 'measured_at') }}
        {%- endif %}

),

final as (

    select
        session_days.user_id,
        session_days.workout_id,
        session_days.session_id,
        readings.device_id,
        readings.heart_rate_bpm,
        session_days.started_at,
        session_days.ended_at,
        readings.measured_at
    from session_days
    inner join readings
        on
            session_days.user_id = readings.user_id
            and session_days.session_date = readings.measured_date
            and session_days.started_at < readings.measured_at
            and session_days.ended_at >= readings.measured_at

)

{{ reads_changes_of([ref('heart_rates'), ref('workout_sessions')]) }}
{{ recomputed(
    'old.user_id = affected.user_id and old.workout_id = affected.workout_id'
    ~ ' and old.session_id = affected.session_id and old.started_at = affected.started_at',
    days=days, day_of='measured_at'
) }}
