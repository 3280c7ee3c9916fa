{{ config(unique_key=['mac_address', 'gym_id', 'login_at']) }}

with
{% if is_incremental() %}
-- Sessions are assigned among all visits of their user; a MAC that nobody owns is a visitor of its
-- own.
affected as (

    select coalesce(user_id, mac_address) as visitor_id
    from {{ changes_of(ref('gym_visits')) }}
    union
    select user_id as visitor_id
    from {{ changes_of(ref('workout_sessions')) }}
    where status = 'completed'

),
{% endif %}

visits as (

    select
        visits.mac_address,
        visits.gym_id,
        visits.user_id,
        visits.login_at,
        visits.logout_at
    from {{ ref('gym_visits') }} as visits
    {% if is_incremental() %}
    left semi join affected on coalesce(visits.user_id, visits.mac_address) = affected.visitor_id
    {% endif %}

),

-- A later login ends the reach of an open visit.
logins as (

    select
        user_id,
        login_at,
        lead(login_at) over (partition by user_id order by login_at) as next_login_at
    from (
        select distinct
            user_id,
            login_at
        from visits
        where user_id is not null
    ) as distinct_logins

),

reaches as (

    select
        visits.user_id,
        visits.mac_address,
        visits.gym_id,
        visits.login_at,
        visits.logout_at,
        least(
            logins.next_login_at,
            timestamp_micros(
                unix_micros(visits.login_at)
                + cast({{ var('open_visit_hours') }} * 3600000000 as bigint)
            )
        ) as open_until
    from visits
    inner join logins on visits.user_id = logins.user_id and visits.login_at = logins.login_at

),

sessions as (

    select
        user_id,
        workout_id,
        session_id,
        started_at,
        ended_at
    from {{ ref('workout_sessions') }}
    where status = 'completed'

),

-- A session belongs to the latest of the visits that it starts in.
candidates as (

    select
        sessions.user_id,
        sessions.workout_id,
        sessions.session_id,
        sessions.started_at,
        sessions.ended_at,
        reaches.mac_address,
        reaches.gym_id,
        reaches.login_at,
        row_number() over (
            partition by
                sessions.user_id, sessions.workout_id, sessions.session_id, sessions.started_at
            order by reaches.login_at desc, reaches.mac_address asc, reaches.gym_id asc
        ) as candidate_rank
    from sessions
    inner join reaches
        on
            sessions.user_id = reaches.user_id
            and sessions.started_at >= reaches.login_at
            and (
                sessions.started_at <= reaches.logout_at
                or reaches.logout_at is null and sessions.started_at < reaches.open_until
            )

),

assigned as (

    select *
    from candidates
    where candidate_rank = 1

),

-- Sessions that overlap are counted once: each adds what reaches past all that started before it.
additions as (

    select
        *,
        greatest(
            0,
            {{ microseconds_between(
                'greatest(started_at, coalesce(max(ended_at) over (
                    partition by mac_address, gym_id, login_at
                    order by started_at, ended_at, workout_id, session_id
                    rows between unbounded preceding and 1 preceding
                ), started_at))',
                'ended_at'
            ) }}
        ) as added_micros
    from assigned

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
        coalesce(
            exercise.sessions,
            cast(array() as array<struct<workout_id: string, session_id: string>>)
        ) as sessions,
        {{ minutes(microseconds_between('visits.login_at', 'visits.logout_at')) }}
            as minutes_in_gym,
        {{ minutes('coalesce(exercise.exercise_micros, 0)') }} as minutes_exercising,
        cast(visits.login_at as date) as visit_date,
        visits.login_at,
        visits.logout_at
    from visits
    left join exercise using (mac_address, gym_id, login_at)

)

{{ reads_changes_of([ref('gym_visits'), ref('workout_sessions')]) }}
{{ recomputed('coalesce(old.user_id, old.mac_address) = affected.visitor_id') }}
