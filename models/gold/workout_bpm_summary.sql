{% set session = ['user_id', 'workout_id', 'session_id', 'started_at'] %}
{{ config(unique_key=session, meta={'day': 'started_at'}) }}

{# Up to a session's end and the minute after it. #}
{% set most_days = (var('max_session_hours') / 24) | round(0, 'ceil') | int + 1 %}
{% set zone = member_zone('zones') %}
with
{% call affected_cte() %}
    select user_id, workout_id, session_id, started_at
    from {{ changes_of(ref('workout_heart_rates')) }}
    union
    select user_id, workout_id, session_id, started_at
    from {{ changes_of(ref('session_visits')) }}
    union
    select user_id, workout_id, session_id, started_at
    from {{ changes_of(ref('workout_sessions')) }}
    where status = 'completed'
    union
    select sessions.user_id, sessions.workout_id, sessions.session_id, sessions.started_at
    from {{ ref('workout_sessions') }} as sessions
    left semi join (
        select user_id from {{ changes_of(ref('user_profile_history')) }}
        union
        select user_id from {{ changes_of(ref('member_zones')) }}
    ) as members on sessions.user_id = members.user_id
    where sessions.status = 'completed'
    union
    -- The start's day has the resting rate.
    select sessions.user_id, sessions.workout_id, sessions.session_id, sessions.started_at
    from {{ ref('workout_sessions') }} as sessions
    left join {{ ref('member_zones') }} as zones on sessions.user_id = zones.user_id
    left semi join {{ changes_of(ref('daily_heart_rates')) }} as days
        on
            sessions.user_id = days.user_id
            and cast(from_utc_timestamp(sessions.started_at, {{ zone }}) as date) = days.`date`
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

readings as (

    select
        *,
        {% call micros_standing(session) %}ended_at{% endcall %} as micros
    from {{ affected_only(ref('workout_heart_rates')) }}

),

summaries as (

    select
        readings.user_id,
        readings.workout_id,
        readings.session_id,
        readings.started_at,
        readings.ended_at,
        cast(from_utc_timestamp(readings.started_at, {{ zone }}) as date) as workout_date,
        min(readings.heart_rate_bpm) as min_bpm,
        {{ mean('readings.heart_rate_bpm') }} as avg_bpm,
        max(readings.heart_rate_bpm) as max_bpm,
        count(*) as num_recordings,
        -- Of several devices at the last instant the least device id counts.
        min_by(readings.heart_rate_bpm, struct(-unix_micros(readings.measured_at), readings.device_id)) as last_bpm,
        collect_list(struct(readings.heart_rate_bpm as bpm, readings.micros)) as rates
    from readings
    left join {{ ref('member_zones') }} as zones on readings.user_id = zones.user_id
    group by all

),

members as (

    select
        summaries.*,
        profiles.sex,
        profiles.gender,
        profiles.city,
        profiles.state,
        {{ whole_years('profiles.date_of_birth', 'summaries.workout_date') }} as age
    from summaries
    left join {{ ref('profile_versions') }} as profiles
        on
            summaries.user_id = profiles.user_id
            and summaries.started_at >= profiles.in_force_from
            and summaries.started_at < profiles.in_force_to

),

bounds as (

    select
        members.*,
        zones.zone_basis,
        {{ zone_bounds('zones') }}
    from members
    left join {{ affected_only(ref('daily_heart_rates'), by=['user_id'], day='date', slack=1) }} as days
        on members.user_id = days.user_id and members.workout_date = days.`date`
    left join {{ ref('heart_rate_zones') }} as zones on {{ zone_basis() }} = zones.zone_basis

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
    inner join {{ affected_only(ref('heart_rates'), by=['user_id'], day='measured_at', slack=most_days) }} as later
        on
            sessions.user_id = later.user_id
            and later.measured_at >= sessions.ended_at + interval 50 seconds
            and later.measured_at <= sessions.ended_at + interval 70 seconds
    group by all

),

final as (

    select
        bounds.* except (last_bpm, rates),
        coalesce(age_bands.age_band, 'invalid age') as age_band,
        visits.gym_id,
        {{ zone_minutes('rates') }},
        bounds.last_bpm - recoveries.recovered_bpm as heart_rate_recovery_bpm
    from bounds
    left join {{ affected_only(ref('session_visits')) }} as visits
        using (user_id, workout_id, session_id, started_at)
    left join recoveries using (user_id, workout_id, session_id, started_at)
    left join {{ ref('age_bands') }} as age_bands on {{ is_in_age_band('bounds.age', 'age_bands') }}

)

{{ recomputed() }}
