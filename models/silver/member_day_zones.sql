{{ config(materialized='view') }}

-- For the member's own page. In gold, bounds beside days would tell birth dates.
with days as (

    select
        days.user_id,
        days.resting_bpm_estimate,
        days.zone_basis,
        days.`date`,
        {{ day_begins('days.`date`', member_zone('zones')) }} as day_begins_at
    from {{ ref('daily_heart_rates') }} as days
    left join {{ ref('member_zones') }} as zones on days.user_id = zones.user_id

),

ages as (

    select
        days.*,
        {{ whole_years('profiles.date_of_birth', 'days.`date`') }} as age
    from days
    left join {{ ref('profile_versions') }} as profiles
        on
            days.user_id = profiles.user_id
            and days.day_begins_at >= profiles.in_force_from
            and days.day_begins_at < profiles.in_force_to

)

select
    ages.user_id,
    ages.age,
    cast({{ max_heart_rate('ages.age') }} as double) as max_heart_rate_bpm,
    ages.resting_bpm_estimate,
    {{ zone_bounds('zones') }},
    ages.`date`
from ages
left join {{ ref('heart_rate_zones') }} as zones on ages.zone_basis = zones.zone_basis
