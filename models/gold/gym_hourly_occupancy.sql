{{ config(unique_key=['gym_id', 'hour_at']) }}

{# How far a visit reaches, and a day or so for clocks of other zones. #}
{% set days = (var('max_visit_hours') + var('open_visit_presence_hours')) | int // 24 + 2 %}
with
{% call affected_cte() %}
    -- Days of all gyms: a login ends its visitor's open visit in any of them. The newest time, before
    -- and now, ends those that nothing else does.
    select explode(sequence(date_sub(near_date, {{ days }}), date_add(near_date, {{ days }}))) as local_date
    from (
        select cast(login_at as date) as near_date
        from {{ changes_of(ref('gym_visits')) }}
        union
        select cast(max(hour_at) as date) as near_date
        from {{ this }}
        union
        select cast(max(greatest(login_at, logout_at)) as date) as near_date
        from {{ ref('gym_visits') }}
    )
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

newest as (

    select max(greatest(login_at, logout_at)) as newest_at
    from visits

),

-- Who is there in [login_at, left_at). At the newest time an open visit is there still.
presences as (

    select
        visits.*,
        newest.newest_at,
        coalesce(visits.logout_at, least(
            min(visits.login_at) over (
                partition by visits.visitor order by visits.login_at
                range between interval 1 microsecond following and unbounded following
            ),
            visits.login_at + make_interval(0, 0, 0, 0, 0, 0, {{ var('open_visit_presence_hours') }} * 3600),
            newest.newest_at + interval 1 microsecond
        )) as left_at
    from visits
    cross join newest

),

-- Clocks are set, and local hours begin, at quarters of an hour.
quarters as (

    select
        *,
        explode(sequence(
            date_trunc('hour', login_at),
            greatest(login_at, left_at - interval 1 microsecond),
            interval 15 minutes
        )) as quarter_at
    from presences

),

hours as (

    select
        quarters.* except (quarter_at),
        gyms.capacity,
        gyms.time_zone,
        {{ hour_at('quarters.quarter_at', 'gyms.time_zone') }} as hour_at,
        min(greatest(quarters.login_at, quarters.quarter_at)) as from_at,
        max(least(quarters.left_at, quarters.quarter_at + interval 15 minutes)) as to_at
    from quarters
    inner join {{ ref('gyms') }} as gyms on quarters.gym_id = gyms.gym_id
    where quarters.quarter_at + interval 15 minutes > quarters.login_at
    group by all

),

dated as (

    select
        *,
        {{ local_date('hour_at', 'time_zone') }} as local_date
    from hours

),

pieces as (

    select * from {{ affected_only('dated', by=['local_date']) }}

),

-- A member with two visits at once is one member: at each entry, count the distinct visitors that
-- are inside.
entries as (

    select
        pieces.*,
        count(distinct inside.visitor) as members
    from pieces
    left join pieces as inside
        on
            pieces.gym_id = inside.gym_id
            and pieces.hour_at = inside.hour_at
            and pieces.from_at >= inside.from_at
            and pieces.from_at < inside.to_at
    group by all

),

final as (

    select
        gym_id,
        hour(from_utc_timestamp(hour_at, time_zone)) as local_hour,
        count_if(from_at = login_at) as check_ins,
        count_if(from_at < to_at) as visits,
        max(members) as peak_members,
        -- Who stays on, or is there now.
        count(distinct if(left_at > least(to_at, newest_at), visitor, null)) as members_at_end,
        capacity,
        local_date,
        hour_at
    from entries
    group by all

)

{{ recomputed(by=['local_date']) }}
