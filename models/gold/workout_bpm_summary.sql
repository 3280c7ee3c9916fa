{{ config(
    unique_key=['user_id', 'workout_id', 'session_id', 'started_at'], meta={'day': 'started_at'}
) }}

{# Up to a session's end and the minute after it. #}
{% set most_days = (var('max_session_hours') / 24) | round(0, 'ceil') | int + 1 %}
with
{% call affected_cte() %}
    select user_id, workout_id, session_id, started_at
    from {{ changes_of(ref('workout_heart_rates')) }}
    union
    select sessions.user_id, sessions.workout_id, sessions.session_id, sessions.started_at
    from {{ ref('workout_sessions') }} as sessions
    left semi join {{ changes_of(ref('user_profile_history')) }} as profiles
        on sessions.user_id = profiles.user_id
    where sessions.status = 'completed'
    union
    -- A reading a minute after the end is the session's recovery.
    select sessions.user_id, sessions.workout_id, sessions.session_id, sessions.started_at
    from {{ ref('workout_sessions') }} as sessions
    left semi join {{ changes_of(ref('heart_rates')) }} as readings
        on
            sessions.user_id = readings.user_id
            and readings.measured_at between
                sessions.ended_at + interval 50 seconds and sessions.ended_at + interval 70 seconds
    where sessions.status = 'completed'
{% endcall %}

-- A reading stands until the next one on any device, 60 s at most, cut at the session's end; at one
-- instant that of the least device id counts.
readings as (

    select
        *,
        unix_micros(least(
            lead(measured_at) over (
                partition by user_id, workout_id, session_id, started_at
                order by measured_at asc, device_id desc
            ),
            measured_at + interval 60 seconds,
            ended_at
        )) - unix_micros(measured_at) as stands_micros
    from {{ affected_only(ref('workout_heart_rates')) }}

),

summaries as (

    select
        user_id,
        workout_id,
        session_id,
        started_at,
        ended_at,
        min(heart_rate_bpm) as min_bpm,
        {{ mean('heart_rate_bpm') }} as avg_bpm,
        max(heart_rate_bpm) as max_bpm,
        count(*) as num_recordings,
        -- Of several devices at the last instant the least device id counts.
        min_by(heart_rate_bpm, struct(-unix_micros(measured_at), device_id)) as last_bpm
    from readings
    group by all

),

members as (

    select
        summaries.*,
        profiles.sex,
        profiles.gender,
        profiles.city,
        profiles.state,
        {{ whole_years('profiles.date_of_birth', 'cast(summaries.started_at as date)') }} as age
    from summaries
    left join {{ ref('profile_versions') }} as profiles
        on
            summaries.user_id = profiles.user_id
            and summaries.started_at >= profiles.in_force_from
            and summaries.started_at < profiles.in_force_to

),

zone_sums as (

    select
        user_id,
        workout_id,
        session_id,
        started_at,
        {{ sums_by_zone('readings.stands_micros') }}
    from readings
    inner join members using (user_id, workout_id, session_id, started_at)
    inner join {{ ref('heart_rate_zones') }} as zones
        on {{ is_in_zone('readings.heart_rate_bpm', 'members.age', 'zones') }}
    group by all

),

-- The reading nearest to a minute after the end; of two as near, the earlier.
recoveries as (

    select
        sessions.user_id,
        sessions.workout_id,
        sessions.session_id,
        sessions.started_at,
        min_by(later.heart_rate_bpm, struct(
            abs(unix_micros(later.measured_at) - unix_micros(sessions.ended_at) - 60000000),
            later.measured_at,
            later.device_id
        )) as recovered_bpm
    from summaries as sessions
    inner join
        {{ affected_only(ref('heart_rates'), by=['user_id'], day='measured_at', slack=most_days) }}
            as later
        on
            sessions.user_id = later.user_id
            and later.measured_at >= sessions.ended_at + interval 50 seconds
            and later.measured_at <= sessions.ended_at + interval 70 seconds
    group by all

),

final as (

    select
        members.* except (last_bpm),
        coalesce(age_bands.age_band, 'invalid age') as age_band,
        {{ minutes('zone_sums.out_of_range_micros') }} as out_of_range_minutes,
        {{ minutes('zone_sums.fat_burn_micros') }} as fat_burn_minutes,
        {{ minutes('zone_sums.cardio_micros') }} as cardio_minutes,
        {{ minutes('zone_sums.peak_micros') }} as peak_minutes,
        members.last_bpm - recoveries.recovered_bpm as heart_rate_recovery_bpm,
        cast(members.started_at as date) as workout_date
    from members
    left join zone_sums using (user_id, workout_id, session_id, started_at)
    left join recoveries using (user_id, workout_id, session_id, started_at)
    left join {{ ref('age_bands') }} as age_bands
        on {{ is_in_age_band('members.age', 'age_bands') }}

)

{{ recomputed() }}
