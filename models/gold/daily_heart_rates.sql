{{ config(unique_key=['user_id', 'date'], meta={'day': 'date'}) }}

with
{% call affected_cte() %}
    select
        user_id,
        cast(measured_at as date) as date
    from {{ changes_of(ref('heart_rates')) }}
    where user_id is not null
    union
    -- Zones depend on the age: a changed profile opens all days of its member again.
    select
        days.user_id,
        days.date
    from {{ this }} as days
    left semi join {{ changes_of(ref('user_profile_history')) }} as profiles
        on days.user_id = profiles.user_id
{% endcall %}

readings as (

    select
        user_id,
        device_id,
        heart_rate_bpm,
        measured_at,
        cast(measured_at as date) as `date`
    from {{ affected_only(ref('heart_rates'), by=['user_id'], day='measured_at') }}
    where user_id is not null

),

-- A reading stands until the member's next one on any device, 60 s at most, cut at the day's end; at
-- one instant that of the least device id counts.
standing as (

    select
        *,
        unix_micros(least(
            lead(measured_at) over (
                partition by user_id, `date` order by measured_at asc, device_id desc
            ),
            measured_at + interval 60 seconds,
            cast(date_add(`date`, 1) as timestamp)
        )) - unix_micros(measured_at) as stands_micros
    from readings

),

-- A half hour has few heart rates: ages and zones are asked of these instead of each reading.
rates as (

    select
        user_id,
        `date`,
        unix_micros(measured_at) div 1800000000 as half_hour,
        heart_rate_bpm,
        count(*) as num_readings,
        sum(stands_micros) as stands_micros,
        sum(least(stands_micros, 1800000000 - unix_micros(measured_at) % 1800000000))
            as stands_micros_in_half_hour
    from standing
    group by all

),

-- The profile as of the day's first instant.
members as (

    select distinct
        days.user_id,
        days.`date`,
        profiles.sex,
        profiles.gender,
        profiles.city,
        profiles.state,
        {{ whole_years('profiles.date_of_birth', 'days.`date`') }} as age
    from rates as days
    left join {{ ref('profile_versions') }} as profiles
        on
            days.user_id = profiles.user_id
            and days.`date` >= profiles.in_force_from
            and days.`date` < profiles.in_force_to

),

half_hours as (

    select
        rates.user_id,
        rates.`date`,
        rates.half_hour,
        min(rates.heart_rate_bpm) as min_bpm,
        max(rates.heart_rate_bpm) as max_bpm,
        sum(cast(rates.heart_rate_bpm as decimal(20, 10)) * rates.num_readings) as total_bpm,
        sum(rates.num_readings) as num_readings,
        sum(rates.stands_micros) as covered_micros,
        sum(rates.stands_micros_in_half_hour) as covered_micros_in_half_hour,
        {{ sums_by_zone('rates.stands_micros') }}
    from rates
    inner join members on rates.user_id = members.user_id and rates.`date` = members.`date`
    left join {{ ref('heart_rate_zones') }} as zones
        on {{ is_in_zone('rates.heart_rate_bpm', 'members.age', 'zones') }}
    group by all

),

sums as (

    select
        user_id,
        `date`,
        min(min_bpm) as min_bpm,
        cast(sum(total_bpm) / sum(num_readings) as double) as avg_bpm,
        max(max_bpm) as max_bpm,
        sum(num_readings) as num_readings,
        -- Like every mean it takes all readings; only the minutes go by what stands.
        cast(min(
            case when covered_micros_in_half_hour >= 600000000 then total_bpm / num_readings end
        ) as double) as resting_bpm_estimate,
        {{ minutes('sum(covered_micros)') }} as covered_minutes,
        {{ minutes('sum(out_of_range_micros)') }} as out_of_range_minutes,
        {{ minutes('sum(fat_burn_micros)') }} as fat_burn_minutes,
        {{ minutes('sum(cardio_micros)') }} as cardio_minutes,
        {{ minutes('sum(peak_micros)') }} as peak_minutes,
        {{ minutes('sum(active_zone_micros)') }} as active_zone_minutes
    from half_hours
    group by all

),

final as (

    select
        members.user_id,
        coalesce(age_bands.age_band, 'invalid age') as age_band,
        members.sex,
        members.gender,
        members.city,
        members.state,
        sums.* except (user_id)
    from sums
    inner join members on sums.user_id = members.user_id and sums.`date` = members.`date`
    left join {{ ref('age_bands') }} as age_bands
        on {{ is_in_age_band('members.age', 'age_bands') }}

)

{{ recomputed() }}
