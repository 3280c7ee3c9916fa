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

visits as (

    select
        visits.user_id,
        visits.login_at,
        date_diff(as_of.as_of_date, cast(visits.login_at as date)) as days_ago,
        {{ micros_between('visits.login_at', 'visits.logout_at') }} as gym_micros
    from {{ ref('gym_visits') }} as visits
    cross join as_of
    where visits.user_id is not null

),

visit_sums as (

    select
        user_id,
        count(*) as logins,
        count_if(days_ago between 0 and 6) as logins_7_days,
        count_if(days_ago between 0 and 13) as logins_14_days,
        count_if(days_ago between 0 and 27) as logins_28_days,
        sum(gym_micros) as gym_micros,
        sum(gym_micros) filter (where days_ago between 0 and 6) as gym_7_days_micros,
        sum(gym_micros) filter (where days_ago between 0 and 27) as gym_28_days_micros,
        min(login_at) as first_visit_at,
        max(login_at) as last_visit_at
    from visits
    group by all

),

dated_sessions as (

    select
        sessions.*,
        date_diff(as_of.as_of_date, cast(sessions.started_at as date)) as days_ago,
        if(days_ago between 0 and 6, sessions.ended_at, null) as ended_7_days_at,
        if(days_ago between 0 and 27, sessions.ended_at, null) as ended_28_days_at
    from {{ ref('workout_sessions') }} as sessions
    cross join as_of
    where sessions.status = 'completed'

),

-- Sessions that overlap are counted once: each adds what reaches past all that started before it.
sessions as (

    select
        user_id,
        days_ago,
        {{ micros_added('started_at', 'ended_at', 'max(ended_at) over earlier') }} as micros,
        {{ micros_added('started_at', 'ended_7_days_at', 'max(ended_7_days_at) over earlier') }}
            as micros_7_days,
        {{ micros_added('started_at', 'ended_28_days_at', 'max(ended_28_days_at) over earlier') }}
            as micros_28_days
    from dated_sessions
    window earlier as (
        partition by user_id
        order by started_at, ended_at, workout_id, session_id
        rows between unbounded preceding and 1 preceding
    )

),

session_sums as (

    select
        user_id,
        count(*) as workouts,
        count_if(days_ago between 0 and 6) as workouts_7_days,
        count_if(days_ago between 0 and 13) as workouts_14_days,
        count_if(days_ago between 0 and 27) as workouts_28_days,
        sum(micros) as exercise_micros,
        sum(micros_7_days) as exercise_7_days_micros,
        sum(micros_28_days) as exercise_28_days_micros
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
        {{ minutes('coalesce(visit_sums.gym_micros, 0)') }} as gym_minutes,
        {{ minutes('coalesce(visit_sums.gym_7_days_micros, 0)') }} as gym_minutes_7_days,
        {{ minutes('coalesce(visit_sums.gym_28_days_micros, 0)') }} as gym_minutes_28_days,
        {{ minutes('coalesce(session_sums.exercise_micros, 0)') }} as exercise_minutes,
        {{ minutes('coalesce(session_sums.exercise_7_days_micros, 0)') }} as exercise_minutes_7_days,
        {{ minutes('coalesce(session_sums.exercise_28_days_micros, 0)') }} as exercise_minutes_28_days,
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
            and as_of.as_of_date is not null
            and {{ in_interval('as_of.as_of_date', 'profiles.in_force_from', 'profiles.in_force_to') }}
    left join {{ ref('age_bands') }} as age_bands
        on {{ is_in_age_band(whole_years('profiles.date_of_birth', 'as_of.as_of_date'), 'age_bands') }}

)

select * from final
