{{ config(unique_key=['user_id', 'workout_id', 'session_id', 'started_at']) }}

{% if is_incremental() %}
{% set affected -%}
    select
        user_id,
        workout_id,
        session_id,
        started_at
    from {{ changes_of(ref('workout_heart_rates')) }}
    union
    select
        user_id,
        workout_id,
        session_id,
        started_at
    from {{ changes_of(ref('workout_sessions')) }}
    union
    select
        sessions.user_id,
        sessions.workout_id,
        sessions.session_id,
        sessions.started_at
    from {{ ref('workout_sessions') }} as sessions
    left semi join {{ changes_of(ref('user_profile_history')) }} as profile_changes
        on sessions.user_id = profile_changes.user_id
    union
    -- A reading a minute after the end is the session's recovery.
    select
        sessions.user_id,
        sessions.workout_id,
        sessions.session_id,
        sessions.started_at
    from {{ ref('workout_sessions') }} as sessions
    inner join {{ changes_of(ref('heart_rates')) }} as reading_changes
        on
            sessions.user_id = reading_changes.user_id
            and reading_changes.measured_at >= sessions.ended_at + interval 50 seconds
            and reading_changes.measured_at <= sessions.ended_at + interval 70 seconds
    where sessions.status = 'completed'
{%- endset %}
{# Up to the session's end and the minute after it. #}
{% set days = touched_days(affected, 'started_at', hours=var('max_session_hours') + 1) %}
{% endif %}

with
{{ affected_cte(affected) }}

readings as (

    select
        sessions.user_id,
        sessions.workout_id,
        sessions.session_id,
        sessions.device_id,
        sessions.heart_rate_bpm,
        sessions.started_at,
        sessions.ended_at,
        sessions.measured_at
    from {{ ref('workout_heart_rates') }} as sessions
    {% if is_incremental() %}
    left semi join affected
        on
            sessions.user_id = affected.user_id
            and sessions.workout_id = affected.workout_id
            and sessions.session_id = affected.session_id
            and sessions.started_at = affected.started_at
    where {{ on_days(days, 'sessions.measured_at') }}
    {% endif %}

),

summaries as (

    select
        user_id,
        workout_id,
        session_id,
        started_at,
        ended_at,
        min(heart_rate_bpm) as min_bpm,
        avg(heart_rate_bpm) as avg_bpm,
        max(heart_rate_bpm) as max_bpm,
        count(*) as num_recordings,
        -- Of several devices at the last instant the least device id counts.
        min_by(heart_rate_bpm, struct(-unix_micros(measured_at), device_id)) as last_bpm
    from readings
    group by all

),

profiles as (

    {{ profile_versions() }}

),

with_profiles as (

    select
        summaries.*,
        profiles.sex,
        profiles.gender,
        profiles.city,
        profiles.state,
        cast(summaries.started_at as date) as workout_date,
        {{ whole_years('profiles.date_of_birth', 'cast(summaries.started_at as date)') }} as age
    from summaries
    left join profiles
        on
            summaries.user_id = profiles.user_id
            and {{ in_interval(
                'summaries.started_at', 'profiles.in_force_from', 'profiles.in_force_to'
            ) }}

),

{{ standing_readings(
    'readings', ['user_id', 'workout_id', 'session_id', 'started_at'], 'ended_at'
) }},

-- A session has few heart rates: zones are asked of these instead of each reading.
rates as (

    select
        user_id,
        workout_id,
        session_id,
        started_at,
        heart_rate_bpm,
        sum(stands_micros) as stands_micros
    from standing
    group by all

),

zone_minutes as (

    select
        rates.user_id,
        rates.workout_id,
        rates.session_id,
        rates.started_at,
        {{ sums_by_zone('rates.stands_micros') }}
    from rates
    inner join with_profiles using (user_id, workout_id, session_id, started_at)
    inner join {{ ref('heart_rate_zones') }} as zones
        on {{ joins_zone('rates.heart_rate_bpm', 'with_profiles.age', 'zones') }}
    group by all

),

-- The reading nearest to a minute after the end; of two as near, the earlier.
recoveries as (

    select
        summaries.user_id,
        summaries.workout_id,
        summaries.session_id,
        summaries.started_at,
        min_by(
            later.heart_rate_bpm,
            struct(
                abs(
                    {{ microseconds_between('summaries.ended_at', 'later.measured_at') }} - 60000000
                ),
                later.measured_at,
                later.device_id
            )
        ) as recovered_bpm
    from summaries
    inner join {{ ref('heart_rates') }} as later
        on
            summaries.user_id = later.user_id
            and cast(summaries.ended_at + interval 50 seconds as date)
            <= cast(later.measured_at as date)
            and later.measured_at >= summaries.ended_at + interval 50 seconds
            and later.measured_at <= summaries.ended_at + interval 70 seconds
    {% if is_incremental() %}
    where {{ on_days(days, 'later.measured_at') }}
    {% endif %}
    group by all

),

final as (

    select
        with_profiles.user_id,
        with_profiles.workout_id,
        with_profiles.session_id,
        coalesce(age_bands.age_band, 'invalid age') as age_band,
        with_profiles.sex,
        with_profiles.gender,
        with_profiles.city,
        with_profiles.state,
        with_profiles.age,
        with_profiles.min_bpm,
        with_profiles.avg_bpm,
        with_profiles.max_bpm,
        with_profiles.num_recordings,
        {{ zone_minute_columns('zone_minutes', 'with_profiles.age') }},
        with_profiles.last_bpm - recoveries.recovered_bpm as heart_rate_recovery_bpm,
        with_profiles.workout_date,
        with_profiles.started_at,
        with_profiles.ended_at
    from with_profiles
    left join zone_minutes using (user_id, workout_id, session_id, started_at)
    left join recoveries using (user_id, workout_id, session_id, started_at)
    left join {{ ref('age_bands') }} as age_bands
        on {{ joins_age_band('with_profiles.age', 'age_bands') }}

)

{{ reads_changes_of([
    ref('workout_heart_rates'), ref('workout_sessions'), ref('heart_rates'), ref('user_profile_history')
]) }}
{{ recomputed(
    'old.user_id = affected.user_id and old.workout_id = affected.workout_id'
    ~ ' and old.session_id = affected.session_id and old.started_at = affected.started_at',
    days=days, day_of='started_at'
) }}
