{{ config(unique_key=['user_id', 'date'], meta={'day': 'date'}) }}
{% set zone = member_zone('zones') %}
with
{% call affected_cte() %}
    select
        readings.user_id,
        cast(from_utc_timestamp(readings.measured_at, {{ zone }}) as date) as `date`
    from {{ changes_of(ref('heart_rates')) }} as readings
    left join {{ ref('member_zones') }} as zones on readings.user_id = zones.user_id
    where readings.user_id is not null
    union
    -- Another profile opens all days of its member; in another zone, instants have dates up to 2 off.
    select days.user_id, explode(sequence(days.`date` - 2, days.`date` + 2)) as `date`
    from {{ this }} as days
    left semi join (
        select user_id from {{ changes_of(ref('user_profile_history')) }}
        union
        select user_id from {{ changes_of(ref('member_zones')) }}
    ) as members on days.user_id = members.user_id
{% endcall %}

readings as (

    select
        readings.user_id,
        readings.device_id,
        readings.heart_rate_bpm as bpm,
        readings.measured_at,
        {{ zone }} as time_zone,
        cast(from_utc_timestamp(readings.measured_at, {{ zone }}) as date) as `date`,
        {{ half_hour_ends_at('readings.measured_at', zone) }} as half_hour_ends_at
    from {{ affected_only(ref('heart_rates'), by=['user_id'], day='measured_at', slack=1) }} as readings
    left join {{ ref('member_zones') }} as zones on readings.user_id = zones.user_id
    where readings.user_id is not null

),

-- Clocks are put forward and back by half hours and hours: each day ends with a half hour.
standing as (

    select
        *,
        {% call micros_standing(['user_id', '`date`']) %}
            if(cast(from_utc_timestamp(half_hour_ends_at, time_zone) as date) = `date`, null, half_hour_ends_at)
        {% endcall %} as stands_micros
    from {{ affected_only('readings') }}

),

-- A half hour has few heart rates: what follows goes over these instead of each reading.
rates as (

    select
        user_id,
        `date`,
        time_zone,
        half_hour_ends_at,
        bpm,
        count(*) as num_readings,
        sum(stands_micros) as micros,
        sum(least(stands_micros, unix_micros(half_hour_ends_at) - unix_micros(measured_at))) as micros_in_half_hour
    from standing
    group by all

),

half_hours as (

    select
        user_id,
        `date`,
        time_zone,
        sum(cast(bpm as decimal(13, 10)) * cast(num_readings as decimal(10, 0))) as total_bpm,
        sum(num_readings) as num_readings,
        sum(micros_in_half_hour) as micros_in_half_hour,
        sum(micros) as micros,
        collect_list(struct(bpm, micros)) as rates
    from rates
    group by user_id, `date`, time_zone, half_hour_ends_at

),

days as (

    select
        user_id,
        `date`,
        {{ day_begins('`date`', 'time_zone') }} as begins_at,
        cast(sum(total_bpm) / sum(num_readings) as double) as avg_bpm,
        sum(num_readings) as num_readings,
        -- Like every mean it takes all readings; only the minutes go by what stands.
        cast(round(min(case when micros_in_half_hour >= 600000000 then total_bpm / num_readings end), 2) as double)
            as resting_bpm_estimate,
        sum(micros) as micros,
        sum(micros) >= 14400000000 as is_well_covered,
        flatten(collect_list(rates)) as rates
    from half_hours
    group by all

),

-- The profile as of the day's first instant.
members as (

    select
        days.*,
        profiles.sex,
        profiles.gender,
        profiles.city,
        profiles.state,
        {{ whole_years('profiles.date_of_birth', 'days.`date`') }} as age
    from days
    left join {{ ref('profile_versions') }} as profiles
        on
            days.user_id = profiles.user_id
            and days.begins_at >= profiles.in_force_from
            and days.begins_at < profiles.in_force_to

),

bounds as (

    select
        members.*,
        zones.zone_basis,
        {{ zone_bounds('zones') }}
    from members
    left join {{ ref('heart_rate_zones') }} as zones on {{ zone_basis() }} = zones.zone_basis

),

final as (

    select
        bounds.* except (age, begins_at, micros, rates, fat_burn_from_bpm, cardio_from_bpm, peak_from_bpm),
        coalesce(age_bands.age_band, 'invalid age') as age_band,
        array_min(bounds.rates).bpm as min_bpm,
        array_max(bounds.rates).bpm as max_bpm,
        {{ minutes('micros') }} as covered_minutes,
        {{ zone_minutes('rates') }},
        {{ active_zone_minutes('rates') }} as active_zone_minutes
    from bounds
    left join {{ ref('age_bands') }} as age_bands on {{ is_in_age_band('bounds.age', 'age_bands') }}

)

{{ recomputed() }}
