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

-- Each visit once in all, and once for each span of days up to as_of_date that it lies in.
visits as (

    select
        visits.user_id,
        visits.login_at,
        spans.days,
        unix_micros(visits.logout_at) - unix_micros(visits.login_at) as micros
    from {{ ref('gym_visits') }} as visits
    cross join as_of
    lateral view explode(array(7, 14, 28, null)) spans as days
    where
        visits.user_id is not null
        and (
            spans.days is null
            or date_diff(as_of.as_of_date, cast(visits.login_at as date)) between 0 and spans.days - 1
        )

),

visit_sums as (

    select
        user_id,
        count_if(days is null) as logins,
        count_if(days = 7) as logins_7_days,
        count_if(days = 14) as logins_14_days,
        count_if(days = 28) as logins_28_days,
        {{ minutes('sum(if(days is null, micros, 0))') }} as gym_minutes,
        {{ minutes('sum(if(days = 7, micros, 0))') }} as gym_minutes_7_days,
        {{ minutes('sum(if(days = 28, micros, 0))') }} as gym_minutes_28_days,
        min(login_at) as first_visit_at,
        max(login_at) as last_visit_at
    from visits
    group by all

),

-- The same of completed sessions. Those that overlap are counted once: each adds what reaches past
-- all that started before it.
sessions as (

    select
        sessions.user_id,
        spans.days,
        {{ micros_added('sessions.started_at', 'sessions.ended_at', 'max(sessions.ended_at) over earlier') }} as micros
    from {{ ref('workout_sessions') }} as sessions
    cross join as_of
    lateral view explode(array(7, 14, 28, null)) spans as days
    where
        sessions.status = 'completed'
        and (
            spans.days is null
            or date_diff(as_of.as_of_date, cast(sessions.started_at as date)) between 0 and spans.days - 1
        )
    window earlier as (
        partition by sessions.user_id, spans.days
        order by sessions.started_at, sessions.ended_at, sessions.workout_id, sessions.session_id
        rows between unbounded preceding and 1 preceding
    )

),

session_sums as (

    select
        user_id,
        count_if(days is null) as workouts,
        count_if(days = 7) as workouts_7_days,
        count_if(days = 14) as workouts_14_days,
        count_if(days = 28) as workouts_28_days,
        {{ minutes('sum(if(days is null, micros, 0))') }} as exercise_minutes,
        {{ minutes('sum(if(days = 7, micros, 0))') }} as exercise_minutes_7_days,
        {{ minutes('sum(if(days = 28, micros, 0))') }} as exercise_minutes_28_days
    from sessions
    group by all

),

final as (

    select
        members.user_id,
        coalesce(age_bands.age_band, 'invalid age') as age_band,
        profiles.sex,
        profiles.gender,
        profiles.city,
        profiles.state,
        coalesce(visit_sums.logins, 0) as logins,
        coalesce(visit_sums.logins_7_days, 0) as logins_7_days,
        coalesce(visit_sums.logins_28_days, 0) as logins_28_days,
        coalesce(session_sums.workouts, 0) as workouts,
        coalesce(session_sums.workouts_7_days, 0) as workouts_7_days,
        coalesce(session_sums.workouts_28_days, 0) as workouts_28_days,
        coalesce(visit_sums.gym_minutes, 0) as gym_minutes,
        coalesce(visit_sums.gym_minutes_7_days, 0) as gym_minutes_7_days,
        coalesce(visit_sums.gym_minutes_28_days, 0) as gym_minutes_28_days,
        coalesce(session_sums.exercise_minutes, 0) as exercise_minutes,
        coalesce(session_sums.exercise_minutes_7_days, 0) as exercise_minutes_7_days,
        coalesce(session_sums.exercise_minutes_28_days, 0) as exercise_minutes_28_days,
        coalesce(visit_sums.logins_14_days, 0) + coalesce(session_sums.workouts_14_days, 0) = 0 as is_inactive,
        as_of.as_of_date,
        visit_sums.first_visit_at,
        visit_sums.last_visit_at
    from members
    cross join as_of
    left join visit_sums on members.user_id = visit_sums.user_id
    left join session_sums on members.user_id = session_sums.user_id
    left join {{ ref('profile_versions') }} as profiles
        on
            members.user_id = profiles.user_id
            and as_of.as_of_date >= profiles.in_force_from
            and as_of.as_of_date < profiles.in_force_to
    left join {{ ref('age_bands') }} as age_bands
        on {{ is_in_age_band(whole_years('profiles.date_of_birth', 'as_of.as_of_date'), 'age_bands') }}

)

select * from final
