{{ config(unique_key=['mac_address', 'gym_id', 'login_at']) }}

with
{% call affected_cte() %}
    select
        mac_address,
        gym_id,
        login_at
    from {{ changes_of(ref('gym_visits')) }}
    union
    select
        mac_address,
        gym_id,
        login_at
    from {{ changes_of(ref('session_visits')) }}
    union
    select
        visits.mac_address,
        visits.gym_id,
        visits.login_at
    from {{ ref('gym_visits') }} as visits
    left semi join {{ changes_of(ref('user_profile_history')) }} as profiles on visits.user_id = profiles.user_id
{% endcall %}

visits as (

    select
        visits.*,
        gyms.time_zone,
        cast(from_utc_timestamp(visits.login_at, gyms.time_zone) as date) as visit_date
    from {{ affected_only(ref('gym_visits')) }} as visits
    inner join {{ ref('gyms') }} as gyms on visits.gym_id = gyms.gym_id

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
    from {{ affected_only(ref('session_visits')) }}
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
