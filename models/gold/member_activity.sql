{{ config(unique_key='user_id') }}

with events as (

    select
        user_id,
        `date` as event_date
    from {{ ref('daily_heart_rates') }}
    union all
    select
        user_id,
        visit_date as event_date
    from {{ ref('gym_summary') }}
    union all
    select
        user_id,
        if(status = 'completed', cast(started_at as date), null) as event_date
    from {{ ref('workout_sessions') }}

),

-- The day that everything here looks back from. No model calls the clock.
as_of as (

    select
        coalesce(
            {{ "date'" ~ var('as_of_date') ~ "'" if var('as_of_date') else 'null' }}, max(event_date)
        ) as as_of_date
    from events

),

members as (

    select user_id
    from events
    where user_id is not null
    union
    select user_id from {{ ref('user_profile_history') }}
    union
    select user_id from {{ ref('device_registrations') }}

),

-- All time, and the days up to as_of_date.
spans as (

    select
        as_of_date,
        explode(array(null, 7, 14, 28)) as days
    from as_of

),

-- Each visit and completed session once for each span that it lies in. Sessions that overlap are
-- counted once: each adds what reaches past all that started before it.
activities as (

    select
        visits.user_id,
        spans.days,
        true as is_visit,
        visits.login_at,
        unix_micros(visits.logout_at) - unix_micros(visits.login_at) as micros
    from {{ ref('gym_visits') }} as visits
    cross join spans
    where
        visits.user_id is not null
        and coalesce(
            date_diff(spans.as_of_date, cast(visits.login_at as date)) between 0 and spans.days - 1, true
        )
    union all
    select
        sessions.user_id,
        spans.days,
        false as is_visit,
        null as login_at,
        {{ micros_added('sessions.started_at', 'sessions.ended_at', 'max(sessions.ended_at) over earlier') }} as micros
    from {{ ref('workout_sessions') }} as sessions
    cross join spans
    where
        sessions.status = 'completed'
        and coalesce(
            date_diff(spans.as_of_date, cast(sessions.started_at as date)) between 0 and spans.days - 1, true
        )
    window earlier as (
        partition by sessions.user_id, spans.days
        order by sessions.started_at, sessions.ended_at, sessions.workout_id, sessions.session_id
        rows between unbounded preceding and 1 preceding
    )

),

sums as (

    select
        user_id,
        count_if(is_visit and days is null) as logins,
        count_if(is_visit and days = 7) as logins_7_days,
        count_if(is_visit and days = 28) as logins_28_days,
        count_if(not is_visit and days is null) as workouts,
        count_if(not is_visit and days = 7) as workouts_7_days,
        count_if(not is_visit and days = 28) as workouts_28_days,
        sum(if(is_visit and days is null, micros, 0)) as gym_micros,
        sum(if(is_visit and days = 7, micros, 0)) as gym_micros_7_days,
        sum(if(is_visit and days = 28, micros, 0)) as gym_micros_28_days,
        sum(if(not is_visit and days is null, micros, 0)) as exercise_micros,
        sum(if(not is_visit and days = 7, micros, 0)) as exercise_micros_7_days,
        sum(if(not is_visit and days = 28, micros, 0)) as exercise_micros_28_days,
        count_if(days = 14) as events_14_days,
        min(login_at) as first_visit_at,
        max(login_at) as last_visit_at
    from activities
    group by all

)

select
    members.user_id,
    coalesce(age_bands.age_band, 'invalid age') as age_band,
    profiles.sex,
    profiles.gender,
    profiles.city,
    profiles.state,
    coalesce(sums.logins, 0) as logins,
    coalesce(sums.logins_7_days, 0) as logins_7_days,
    coalesce(sums.logins_28_days, 0) as logins_28_days,
    coalesce(sums.workouts, 0) as workouts,
    coalesce(sums.workouts_7_days, 0) as workouts_7_days,
    coalesce(sums.workouts_28_days, 0) as workouts_28_days,
    coalesce({{ minutes('sums.gym_micros') }}, 0) as gym_minutes,
    coalesce({{ minutes('sums.gym_micros_7_days') }}, 0) as gym_minutes_7_days,
    coalesce({{ minutes('sums.gym_micros_28_days') }}, 0) as gym_minutes_28_days,
    coalesce({{ minutes('sums.exercise_micros') }}, 0) as exercise_minutes,
    coalesce({{ minutes('sums.exercise_micros_7_days') }}, 0) as exercise_minutes_7_days,
    coalesce({{ minutes('sums.exercise_micros_28_days') }}, 0) as exercise_minutes_28_days,
    coalesce(sums.events_14_days, 0) = 0 as is_inactive,
    as_of.as_of_date,
    sums.first_visit_at,
    sums.last_visit_at
from members
cross join as_of
left join sums on members.user_id = sums.user_id
left join {{ ref('profile_versions') }} as profiles
    on
        members.user_id = profiles.user_id
        and as_of.as_of_date >= profiles.in_force_from
        and as_of.as_of_date < profiles.in_force_to
left join {{ ref('age_bands') }} as age_bands
    on {{ is_in_age_band(whole_years('profiles.date_of_birth', 'as_of.as_of_date'), 'age_bands') }}
