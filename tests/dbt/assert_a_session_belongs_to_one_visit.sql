-- A session counted for two visits would count its minutes twice.
with in_visits as (

    select
        user_id,
        sum(size(sessions)) as sessions
    from {{ ref('gym_summary') }}
    group by all

),

completed as (

    select
        user_id,
        count(*) as sessions
    from {{ ref('workout_sessions') }}
    where status = 'completed'
    group by all

)

select
    in_visits.user_id,
    in_visits.sessions,
    completed.sessions as completed_sessions
from in_visits
left join completed on in_visits.user_id = completed.user_id
where in_visits.sessions > coalesce(completed.sessions, 0)
