{{ config(unique_key=['user_id', 'workout_id', 'session_id', 'started_at']) }}

with
{% call affected_cte() %}
    -- Sessions are assigned among all visits of their member.
    select user_id from {{ changes_of(ref('gym_visits')) }}
    where user_id is not null
    union
    select user_id from {{ changes_of(ref('workout_sessions')) }}
    where status = 'completed'
{% endcall %}

-- A later login ends the reach of an open visit.
visits as (

    select
        *,
        least(
            min(login_at) over (
                partition by user_id order by login_at
                range between interval 1 microsecond following and unbounded following
            ),
            login_at + make_interval(0, 0, 0, 0, 0, 0, {{ var('open_visit_hours') }} * 3600)
        ) as open_until
    from {{ affected_only(ref('gym_visits'), by=['user_id']) }}
    where user_id is not null

),

candidates as (

    select
        sessions.user_id,
        sessions.workout_id,
        sessions.session_id,
        visits.mac_address,
        visits.gym_id,
        visits.login_at,
        sessions.started_at,
        sessions.ended_at,
        row_number() over (
            partition by
                sessions.user_id, sessions.workout_id, sessions.session_id, sessions.started_at
            order by visits.login_at desc, visits.mac_address asc, visits.gym_id asc
        ) as candidate_rank
    from {{ affected_only(ref('workout_sessions'), by=['user_id']) }} as sessions
    inner join visits
        on
            sessions.user_id = visits.user_id
            and sessions.started_at >= visits.login_at
            and (
                sessions.started_at <= visits.logout_at
                or (visits.logout_at is null and sessions.started_at < visits.open_until)
            )
    where sessions.status = 'completed'

),

final as (

    select * except (candidate_rank)
    from candidates
    where candidate_rank = 1

)

{{ recomputed(by=['user_id']) }}
