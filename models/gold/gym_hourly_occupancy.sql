{{ config(unique_key=['gym_id', 'hour_at']) }}

with
{% call affected_cte() %}
    select
        gym_id,
        explode(sequence(
            date_trunc('hour', login_at),
            date_trunc('hour', coalesce(logout_at, login_at)),
            interval 1 hour
        )) as hour_at
    from {{ changes_of(ref('gym_visits')) }}
{% endcall %}

visits as (

    select
        gym_id,
        mac_address,
        login_at,
        logout_at,
        -- A MAC that nobody owns is a visitor of its own.
        coalesce('user ' || user_id, 'mac ' || mac_address) as visitor
    from {{ ref('gym_visits') }}

),

-- Each visit in each hour that it touches; an open one only in the hour of its login.
visit_hours as (

    select
        visits.*,
        explode(sequence(
            date_trunc('hour', login_at),
            date_trunc('hour', coalesce(logout_at, login_at)),
            interval 1 hour
        )) as hour_at
    from visits

),

pieces as (

    select
        visit_hours.gym_id,
        visit_hours.hour_at,
        visit_hours.mac_address,
        visit_hours.visitor,
        visit_hours.login_at,
        greatest(visit_hours.login_at, visit_hours.hour_at) as from_at,
        -- An open visit has no end, and least() would overlook the null.
        if(
            visit_hours.logout_at is null,
            null,
            least(visit_hours.logout_at, visit_hours.hour_at + interval 1 hour)
        ) as to_at
    from {{ affected_only('visit_hours') }} as visit_hours
    -- [login, logout): one that ends on the hour is not in it.
    where visit_hours.logout_at is null or visit_hours.logout_at > visit_hours.hour_at

),

totals as (

    select
        gym_id,
        hour_at,
        count_if(login_at >= hour_at) as check_ins,
        count(to_at) as visits
    from pieces
    group by all

),

-- A member with two visits at once is one member: at each entry, count the distinct visitors that
-- are inside.
entries as (

    select distinct
        gym_id,
        hour_at,
        from_at
    from pieces
    where to_at is not null

),

inside as (

    select
        entries.gym_id,
        entries.hour_at,
        entries.from_at,
        count(distinct pieces.visitor) as members
    from entries
    inner join pieces
        on
            entries.gym_id = pieces.gym_id
            and entries.hour_at = pieces.hour_at
            and entries.from_at >= pieces.from_at
            and entries.from_at < pieces.to_at
    group by all

),

peaks as (

    select
        gym_id,
        hour_at,
        max(members) as peak_members
    from inside
    group by all

),

final as (

    select
        totals.gym_id,
        totals.check_ins,
        totals.visits,
        coalesce(peaks.peak_members, 0) as peak_members,
        totals.hour_at
    from totals
    left join peaks using (gym_id, hour_at)

)

{{ recomputed() }}
