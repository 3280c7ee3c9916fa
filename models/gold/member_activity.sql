{{ config(unique_key='user_id') }}

with sessions as (

    select
        sessions.*,
        cast(from_utc_timestamp(sessions.began_at, {{ member_zone('zones') }}) as date) as session_date
    from {{ ref('workout_sessions') }} as sessions
    left join {{ ref('member_zones') }} as zones on sessions.user_id = zones.user_id

),

-- The day that everything here looks back from. No model calls the clock.
as_of as (

    select coalesce(cast(nullif('{{ var("as_of_date") or "" }}', '') as date), greatest(
        (select max(`date`) from {{ ref('daily_heart_rates') }}),
        (select max(visit_date) from {{ ref('gym_summary') }}),
        (select max(if(status = 'completed', session_date, null)) from sessions)
    )) as as_of_date

),

moments as (

    select
        user_id,
        `date` as moment_date,
        cast(null as timestamp) as moment_at
    from {{ ref('daily_heart_rates') }}
    union all
    select
        user_id,
        visit_date as moment_date,
        null as moment_at
    from {{ ref('gym_summary') }}
    union all
    select
        user_id,
        session_date as moment_date,
        null as moment_at
    from sessions
    union all
    select
        user_id,
        null as moment_date,
        registered_at as moment_at
    from {{ ref('device_registrations') }}
    union all
    select
        user_id,
        null as moment_date,
        valid_from as moment_at
    from {{ ref('user_profile_history') }}

),

members as (

    select
        moments.user_id,
        as_of.as_of_date,
        {{ day_begins('as_of.as_of_date', member_zone('zones')) }} as as_of_at,
        date_diff(as_of.as_of_date, min(coalesce(
            moments.moment_date, cast(from_utc_timestamp(moments.moment_at, {{ member_zone('zones') }}) as date)
        ))) + 1 as history
    from moments
    cross join as_of
    left join {{ ref('member_zones') }} as zones on moments.user_id = zones.user_id
    where moments.user_id is not null
    group by all

),

-- All time (0), and the days up to as_of_date.
spans as (

    select
        *,
        explode(array(0, 7, 14, 28, 112)) as days
    from members

),

-- By span. Of sessions that overlap each adds what reaches past all that started before it.
activities as (

    select
        spans.*,
        if(visits.user_id is null, null, true) as is_visit,
        visits.login_at,
        coalesce(unix_micros(visits.logout_at) - unix_micros(visits.login_at), 0) as micros
    from spans
    left join {{ ref('gym_summary') }} as visits
        on
            spans.user_id = visits.user_id
            and (spans.days = 0 or date_diff(spans.as_of_date, visits.visit_date) between 0 and spans.days - 1)
    union all
    select
        spans.*,
        false as is_visit,
        null as login_at,
        {{ micros_added('sessions.started_at', 'sessions.ended_at', 'max(sessions.ended_at) over earlier') }} as micros
    from spans
    inner join sessions on spans.user_id = sessions.user_id and sessions.status = 'completed'
    where spans.days = 0 or date_diff(spans.as_of_date, sessions.session_date) between 0 and spans.days - 1
    window earlier as (
        partition by spans.user_id, spans.days order by sessions.started_at, sessions.ended_at
        rows between unbounded preceding and 1 preceding
    )

),

sums as (

    select
        user_id,
        {%- for ending, days in [('', 0), ('_7_days', 7), ('_28_days', 28)] %}
        count_if(is_visit and days = {{ days }}) as logins{{ ending }},
        count_if(not is_visit and days = {{ days }}) as workouts{{ ending }},
        {{ minutes('sum(if(is_visit and days = ' ~ days ~ ', micros, 0))') }} as gym_minutes{{ ending }},
        {{ minutes('sum(if(not is_visit and days = ' ~ days ~ ', micros, 0))') }} as exercise_minutes{{ ending }},
        {%- endfor %}
        count_if(is_visit and days = 112) - count_if(is_visit and days = 28) as visits_84_days_before,
        if(history >= 14, count_if(days = 14 and is_visit is not null) = 0, null) as is_inactive,
        history,
        as_of_date,
        as_of_at,
        min(login_at) as first_visit_at,
        max(login_at) as last_visit_at
    from activities
    group by all

)

select
    sums.* except (as_of_at, history),
    coalesce(age_bands.age_band, 'invalid age') as age_band,
    profiles.sex,
    profiles.gender,
    profiles.city,
    profiles.state,
    sums.visits_84_days_before >= if(sums.history >= 112, greatest(6, 6 * sums.logins_28_days + 1), null) as is_falling
from sums
left join {{ ref('profile_versions') }} as profiles
    on
        sums.user_id = profiles.user_id
        and sums.as_of_at >= profiles.in_force_from and sums.as_of_at < profiles.in_force_to
left join {{ ref('age_bands') }} as age_bands
    on {{ is_in_age_band(whole_years('profiles.date_of_birth', 'sums.as_of_date'), 'age_bands') }}
