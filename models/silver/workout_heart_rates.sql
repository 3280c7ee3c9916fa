{{ config(
    unique_key=['user_id', 'workout_id', 'session_id', 'started_at', 'device_id', 'measured_at'],
    meta={'day': 'started_at'}
) }}

{% set session = ['user_id', 'workout_id', 'session_id', 'started_at'] %}
{% set most_days = (var('max_session_hours') / 24) | round(0, 'ceil') | int %}
with
{% call affected_cte() %}
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
    inner join {{ changes_of(ref('heart_rates')) }} as readings
        on
            sessions.user_id = readings.user_id
            and sessions.started_at < readings.measured_at
            and sessions.ended_at >= readings.measured_at
    where sessions.status = 'completed'
{% endcall %}

-- A session lies in few days: joined by day, it meets its own days' readings instead of all of its
-- user's.
session_days as (

    select
        user_id,
        workout_id,
        session_id,
        started_at,
        ended_at,
        explode(sequence(cast(started_at as date), cast(ended_at as date), interval 1 day))
            as session_date
    from {{ affected_only(ref('workout_sessions'), by=session) }}
    where status = 'completed'

),

readings as (

    select
        device_id,
        user_id,
        heart_rate_bpm,
        measured_at,
        cast(measured_at as date) as measured_date
    from {{ affected_only(
        ref('heart_rates'), by=['user_id'], day='measured_at', slack=most_days
    ) }}
    where user_id is not null

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

{{ recomputed(by=session) }}
