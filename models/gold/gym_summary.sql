{{ config(unique_key=['mac_address', 'gym_id', 'login_at']) }}

with
{% call affected_cte() %}
    select
        mac_address,
        gym_id,
        login_at
    from {{ changes_of(ref('gym_visits')) }}
    union
    -- Sessions are assigned among all visits of their member.
    select
        visits.mac_address,
        visits.gym_id,
        visits.login_at
    from {{ ref('gym_visits') }} as visits
    left semi join (
        select user_id from {{ changes_of(ref('gym_visits')) }}
        union
        select user_id from {{ changes_of(ref('workout_sessions')) }} where status = 'completed'
        union
        select user_id from {{ changes_of(ref('user_profile_history')) }}
    ) as members on visits.user_id = members.user_id
{% endcall %}

visits as (

    select
        visits.*,
        gyms.time_zone,
        {{ local_date('visits.login_at', 'gyms.time_zone') }} as visit_date
    from {{ affected_only(ref('gym_visits')) }} as visits
    inner join {{ ref('gyms') }} as gyms on visits.gym_id = gyms.gym_id

),

-- A later login ends the reach of an open visit.
reaches as (

    select
        *,
        least(
            min(login_at) over (
                partition by user_id order by login_at
                range between interval 1 microsecond following and unbounded following
            ),
            login_at + make_interval(0, 0, 0, 0, 0, 0, {{ var('open_visit_hours') }} * 3600)
        ) as open_until
    from visits
    where user_id is not null

),

-- A session belongs to the latest of the visits that it starts in.
candidates as (

    select
        sessions.workout_id,
        sessions.session_id,
        sessions.started_at,
        sessions.ended_at,
        visits.mac_address,
        visits.gym_id,
        visits.login_at,
        row_number() over (
            partition by sessions.user_id, sessions.workout_id, sessions.session_id, sessions.started_at
            order by visits.login_at desc, visits.mac_address asc, visits.gym_id asc
        ) as candidate_rank
    from {{ ref('workout_sessions') }} as sessions
    inner join reaches as visits
        on
            sessions.user_id = visits.user_id
            and sessions.started_at >= visits.login_at
            and (
                sessions.started_at <= visits.logout_at
                or (visits.logout_at is null and sessions.started_at < visits.open_until)
            )
    where sessions.status = 'completed'

),

-- Sessions that overlap are counted once: each adds what reaches past all that started before it.
additions as (

    select
        mac_address,
        gym_id,
        login_at,
        workout_id,
        session_id,
        {{ micros_added('started_at', 'ended_at', 'max(ended_at) over earlier') }} as added_micros
    from candidates
    where candidate_rank = 1
    window earlier as (
        partition by mac_address, gym_id, login_at
        order by started_at, ended_at, workout_id, session_id
        rows between unbounded preceding and 1 preceding
    )

),

exercise as (

    select
        mac_address,
        gym_id,
        login_at,
        array_sort(collect_list(struct(workout_id, session_id))) as sessions,
        sum(added_micros) as exercise_micros
    from additions
    group by all

),

final as (

    select
        visits.gym_id,
        visits.mac_address,
        visits.user_id,
        coalesce(age_bands.age_band, 'invalid age') as age_band,
        profiles.sex,
        profiles.gender,
        profiles.city,
        profiles.state,
        coalesce(
            exercise.sessions,
            cast(array() as array<struct<workout_id: string, session_id: string>>)
        ) as sessions,
        {{ minutes(micros_between('visits.login_at', 'visits.logout_at')) }} as minutes_in_gym,
        coalesce({{ minutes('exercise.exercise_micros') }}, 0) as minutes_exercising,
        hour(from_utc_timestamp(visits.login_at, visits.time_zone)) as local_hour,
        visits.visit_date,
        visits.login_at,
        visits.logout_at
    from visits
    left join exercise using (mac_address, gym_id, login_at)
    left join {{ ref('profile_versions') }} as profiles
        on
            visits.user_id = profiles.user_id
            and visits.login_at >= profiles.in_force_from
            and visits.login_at < profiles.in_force_to
    left join {{ ref('age_bands') }} as age_bands
        on {{ is_in_age_band(whole_years('profiles.date_of_birth', 'visits.visit_date'), 'age_bands') }}

)

{{ recomputed() }}
