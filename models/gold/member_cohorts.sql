{{ config(unique_key=['cohort_month', 'months_since']) }}

with as_of as (

    select trunc(max(as_of_date), 'month') as as_of_month
    from {{ ref('member_activity') }}

),

cohorts as (

    select
        cohort_month,
        count(distinct user_id) as members
    from {{ ref('member_months') }}
    where cohort_month is not null
    group by all

),

-- Months that were over before as_of_date's began.
months as (

    select
        cohorts.cohort_month,
        cohorts.members,
        explode(sequence(
            0, cast(months_between(as_of.as_of_month, cohorts.cohort_month) as int) - 1
        )) as months_since
    from cohorts
    inner join as_of on cohorts.cohort_month < as_of.as_of_month

),

actives as (

    select
        cohort_month,
        cast(months_between(month, cohort_month) as int) as months_since,
        count(*) as active
    from {{ ref('member_months') }}
    where visits > 0 or workouts > 0
    group by all

),

counts as (

    select
        months.cohort_month,
        months.months_since,
        months.members,
        coalesce(actives.active, 0) as active
    from months
    left join actives using (cohort_month, months_since)

),

-- Nobody's months are told by a group of less than 5: neither of those who came nor of the others.
suppressed as (

    select
        *,
        members < 5 as is_small,
        members < 5 or active between 1 and 4 or members - active between 1 and 4 as is_suppressed
    from counts

),

final as (

    select
        months_since,
        if(is_small, null, members) as members,
        if(is_suppressed, null, active) as active,
        if(is_suppressed, null, cast(active as double) / members) as `share`,
        is_suppressed,
        cohort_month
    from suppressed

)

select * from final
