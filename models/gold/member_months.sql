{{ config(unique_key=['user_id', 'month']) }}

with visits as (

    select
        user_id,
        trunc(visit_date, 'month') as month,
        count(*) as visits,
        sum(unix_micros(logout_at) - unix_micros(login_at)) as gym_micros
    from {{ ref('gym_summary') }}
    where user_id is not null
    group by all

),

sessions as (

    select
        sessions.user_id,
        sessions.workout_id,
        sessions.session_id,
        sessions.started_at,
        sessions.ended_at,
        trunc(from_utc_timestamp(sessions.started_at, {{ member_zone('zones') }}), 'month') as month
    from {{ ref('workout_sessions') }} as sessions
    left join {{ ref('member_zones') }} as zones on sessions.user_id = zones.user_id
    where sessions.status = 'completed'

),

-- Sessions that overlap are counted once: each adds what reaches past all that started before it in
-- the month.
additions as (

    select
        user_id,
        month,
        {{ micros_added('started_at', 'ended_at', 'max(ended_at) over earlier') }} as added_micros
    from sessions
    window earlier as (
        partition by user_id, month
        order by started_at, ended_at, workout_id, session_id
        rows between unbounded preceding and 1 preceding
    )

),

workouts as (

    select
        user_id,
        month,
        count(*) as workouts,
        sum(added_micros) as exercise_micros
    from additions
    group by all

),

days as (

    select
        user_id,
        trunc(`date`, 'month') as month,
        cast(sum(cast(active_zone_minutes as decimal(20, 2))) as double) as active_zone_minutes,
        count_if(zone_basis = 'reserve') as reserve_days,
        {{ mean('resting_bpm_estimate') }} as mean_resting_bpm_estimate
    from {{ ref('daily_heart_rates') }}
    group by all

),

final as (

    select
        user_id,
        coalesce(visits.visits, 0) as visits,
        coalesce(workouts.workouts, 0) as workouts,
        coalesce({{ minutes('visits.gym_micros') }}, 0) as gym_minutes,
        coalesce({{ minutes('workouts.exercise_micros') }}, 0) as exercise_minutes,
        days.active_zone_minutes,
        coalesce(days.reserve_days, 0) as reserve_days,
        days.mean_resting_bpm_estimate,
        month,
        min(if(visits.visits > 0 or workouts.workouts > 0, month, null)) over (partition by user_id) as cohort_month
    from visits
    full outer join workouts using (user_id, month)
    full outer join days using (user_id, month)

)

select * from final
