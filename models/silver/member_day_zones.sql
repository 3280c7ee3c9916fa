{{ config(materialized='view') }}

-- For the member's own page. In gold, bounds beside days would tell birth dates.
with days as (

    select
        user_id,
        `date`,
        resting_bpm_estimate
    from {{ ref('daily_heart_rates') }}

),

ages as (

    select
        days.user_id,
        days.resting_bpm_estimate,
        days.`date`,
        {{ whole_years('profiles.date_of_birth', 'days.`date`') }} as age
    from days
    left join {{ ref('profile_versions') }} as profiles
        on
            days.user_id = profiles.user_id
            and days.`date` >= profiles.in_force_from
            and days.`date` < profiles.in_force_to

),

bounds as (

    select
        ages.user_id,
        ages.age,
        {{ max_heart_rate('ages.age') }} as max_heart_rate_bpm,
        ages.resting_bpm_estimate,
        ages.`date`,
        max(if(zones.zone = 'fat_burn', zones.from_percent, null)) as fat_burn_from_percent,
        max(if(zones.zone = 'cardio', zones.from_percent, null)) as cardio_from_percent,
        max(if(zones.zone = 'peak', zones.from_percent, null)) as peak_from_percent
    from ages
    cross join {{ ref('heart_rate_zones') }} as zones
    group by all

)

select
    user_id,
    age,
    cast(max_heart_rate_bpm as double) as max_heart_rate_bpm,
    resting_bpm_estimate,
    cast(fat_burn_from_percent * max_heart_rate_bpm / 100 as double) as fat_burn_from_bpm,
    cast(cardio_from_percent * max_heart_rate_bpm / 100 as double) as cardio_from_bpm,
    cast(peak_from_percent * max_heart_rate_bpm / 100 as double) as peak_from_bpm,
    `date`
from bounds
