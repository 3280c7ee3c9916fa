{{ config(materialized='table') }}

with as_of as (

    select as_of_date
    from {{ ref('as_of_dates') }}

),

members as (

    select user_id
    from {{ ref('user_profiles') }}
    union
    select user_id
    from {{ ref('device_registrations') }}
    union
    select user_id
    from {{ ref('gym_visits') }}
    where user_id is not null
    union
    select user_id
    from {{ ref('workout_sessions') }}

),

visits as (

    select
        user_id,
        cast(login_at as date) as visit_date,
        login_at,
        {{ microseconds_between('login_at', 'logout_at') }} as gym_micros
    from {{ ref('gym_visits') }}
    where user_id is not null

),

visit_sums as (

    select
        visits.user_id,
        count(*) as logins,
        count_if({{ in_last_days('visits.visit_date', 7) }}) as logins_7_days,
        count_if({{ in_last_days('visits.visit_date', 28) }}) as logins_28_days,
        count_if({{ in_last_days('visits.visit_date', 14) }}) as logins_14_days,
        sum(visits.gym_micros) as gym_micros,
        sum(visits.gym_micros)
        filter (where {{ in_last_days('visits.visit_date', 7) }}) as gym_7_days_micros,
        sum(visits.gym_micros)
        filter (where {{ in_last_days('visits.visit_date', 28) }}) as gym_28_days_micros,
        min(visits.login_at) as first_visit_at,
        max(visits.login_at) as last_visit_at
    from visits
    cross join as_of
    group by all

),

dated_sessions as (

    select
        user_id,
        started_at,
        ended_at,
        workout_id,
        session_id,
        cast(started_at as date) as workout_date
    from {{ ref('workout_sessions') }}
    where status = 'completed'

),

-- Sessions that overlap are counted once: each adds what reaches past all that started before it.
sessions as (

    select
        dated_sessions.user_id,
        dated_sessions.workout_date,
        {{ added_micros('true') }} as exercise_micros,
        {{ added_micros(in_last_days('workout_date', 7)) }} as exercise_7_days_micros,
        {{ added_micros(in_last_days('workout_date', 28)) }} as exercise_28_days_micros
    from dated_sessions
    cross join as_of
    window earlier as (
        partition by dated_sessions.user_id
        order by started_at, ended_at, workout_id, session_id
        rows between unbounded preceding and 1 preceding
    )

),

session_sums as (

    select
        sessions.user_id,
        count(*) as workouts,
        count_if({{ in_last_days('sessions.workout_date', 7) }}) as workouts_7_days,
        count_if({{ in_last_days('sessions.workout_date', 28) }}) as workouts_28_days,
        count_if({{ in_last_days('sessions.workout_date', 14) }}) as workouts_14_days,
        sum(sessions.exercise_micros) as exercise_micros,
        sum(sessions.exercise_7_days_micros) as exercise_7_days_micros,
        sum(sessions.exercise_28_days_micros) as exercise_28_days_micros
    from sessions
    cross join as_of
    group by all

),

final as (

    select
        members.user_id,
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
        {{ minutes('coalesce(session_sums.exercise_7_days_micros, 0)') }}
            as exercise_minutes_7_days,
        {{ minutes('coalesce(session_sums.exercise_28_days_micros, 0)') }}
            as exercise_minutes_28_days,
        coalesce(visit_sums.logins_14_days, 0) + coalesce(session_sums.workouts_14_days, 0) = 0
            as is_inactive,
        as_of.as_of_date,
        visit_sums.first_visit_at,
        visit_sums.last_visit_at
    from members
    cross join as_of
    left join visit_sums on members.user_id = visit_sums.user_id
    left join session_sums on members.user_id = session_sums.user_id

)

select * from final
