{{ config(unique_key=['gym_id', 'local_date']) }}

with visits as (

    select
        gym_id,
        user_id,
        visit_date,
        unix_micros(logout_at) - unix_micros(login_at) as micros,
        row_number() over (partition by user_id order by login_at, mac_address, gym_id) = 1 as is_first
    from {{ ref('gym_summary') }}

),

days as (

    select
        gym_id,
        visit_date as local_date,
        count(*) as visits,
        count(distinct user_id) as members,
        count_if(is_first and user_id is not null) as new_members,
        count(distinct if(micros is null, null, user_id)) as timed_members,
        -- Minutes, exact to far more than the two decimals that stay.
        cast(
            round(cast(sum(micros) as decimal(20, 0)) / cast(60000000 * count(micros) as decimal(18, 0)), 2)
            as double
        ) as mean_minutes
    from visits
    group by all

),

peaks as (

    select
        gym_id,
        local_date,
        max(peak_members) as peak_members,
        min_by(local_hour, struct(-peak_members, hour_at)) as peak_hour
    from {{ ref('gym_hourly_occupancy') }}
    group by all

),

-- A number that is about 1 to 4 members, or leaves as many out, tells of them.
few as (

    select
        days.*,
        peaks.peak_members,
        peaks.peak_hour,
        days.members < 5 as is_suppressed,
        days.new_members between 1 and 4 or days.members - days.new_members between 1 and 4 as few_new,
        days.timed_members between 1 and 4 or days.members - days.timed_members between 1 and 4 as few_timed,
        peaks.peak_members between 1 and 4 or days.members - peaks.peak_members between 1 and 4 as few_at_peak
    from days
    left join peaks on days.gym_id = peaks.gym_id and days.local_date = peaks.local_date

),

final as (

    select
        gym_id,
        if(is_suppressed or few_at_peak, null, peak_hour) as peak_hour,
        if(is_suppressed, null, visits) as visits,
        if(is_suppressed, null, members) as members,
        if(is_suppressed or few_new, null, new_members) as new_members,
        if(is_suppressed or few_at_peak, null, peak_members) as peak_members,
        if(is_suppressed or few_timed, null, mean_minutes) as mean_minutes,
        is_suppressed,
        local_date
    from few

)

select * from final
