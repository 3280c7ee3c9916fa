{{ config(unique_key=['user_id', 'date']) }}

{% if is_incremental() %}
{% set affected -%}
    select
        user_id,
        cast(measured_at as date) as `date`
    from {{ changes_of(ref('heart_rates')) }}
    where user_id is not null
    union
    -- Zones depend on the age: a changed profile opens all days of its user again.
    select
        days.user_id,
        days.`date`
    from {{ this }} as days
    left semi join {{ changes_of(ref('user_profile_history')) }} as profile_changes
        on days.user_id = profile_changes.user_id
{%- endset %}
{% set days = touched_days(affected, '`date`') %}
{% endif %}

with
{{ affected_cte(affected) }}

owned as (

    select
        user_id,
        device_id,
        heart_rate_bpm,
        measured_at,
        cast(measured_at as date) as `date`
    from {{ ref('heart_rates') }}
    where
        user_id is not null
        {%- if is_incremental() %}
        and {{ on_days(days, 'measured_at') }}
        {%- endif %}

),

readings as (

    select owned.*
    from owned
    {% if is_incremental() %}
    left semi join affected on owned.user_id = affected.user_id and owned.`date` = affected.`date`
    {% endif %}

),

{{ standing_readings(
    'readings', ['user_id', '`date`'], 'cast(`date` + interval 1 day as timestamp)'
) }},

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

profiles as (

    {{ profile_versions() }}

),

-- The profile as of the day's first instant.
with_ages as (

    select
        rates.*,
        {{ whole_years('profiles.date_of_birth', 'rates.`date`') }} as age
    from rates
    left join profiles
        on
            rates.user_id = profiles.user_id
            and {{ in_interval(
                'cast(rates.`date` as timestamp)', 'profiles.in_force_from', 'profiles.in_force_to'
            ) }}

),

half_hours as (

    select
        with_ages.user_id,
        with_ages.`date`,
        with_ages.half_hour,
        with_ages.age,
        min(with_ages.heart_rate_bpm) as min_bpm,
        max(with_ages.heart_rate_bpm) as max_bpm,
        sum(with_ages.heart_rate_bpm * with_ages.num_readings) as total_bpm,
        sum(with_ages.num_readings) as num_readings,
        sum(with_ages.stands_micros) as covered_micros,
        sum(with_ages.stands_micros_in_half_hour) as covered_micros_in_half_hour,
        {{ sums_by_zone('with_ages.stands_micros') }}
    from with_ages
    left join {{ ref('heart_rate_zones') }} as zones
        on {{ joins_zone('with_ages.heart_rate_bpm', 'with_ages.age', 'zones') }}
    group by all

),

sums as (

    select
        user_id,
        `date`,
        age,
        min(min_bpm) as min_bpm,
        sum(total_bpm) / sum(num_readings) as avg_bpm,
        max(max_bpm) as max_bpm,
        sum(num_readings) as num_readings,
        -- The lowest mean over the day's half hours (on the clock) that are covered for 10 minutes
        -- or more. Like every mean it takes all readings; only the minutes go by what stands.
        min(case when covered_micros_in_half_hour >= 600000000 then total_bpm / num_readings end)
            as resting_bpm_estimate,
        sum(covered_micros) as covered_micros,
        {{ sums_of_zone_sums() }}
    from half_hours
    group by all

),

final as (

    select
        user_id,
        min_bpm,
        avg_bpm,
        max_bpm,
        num_readings,
        resting_bpm_estimate,
        {{ minutes('covered_micros') }} as covered_minutes,
        {{ zone_minute_columns('sums', 'age') }},
        if(
            age is null, null, {{ minutes('coalesce(active_zone_micros, 0)') }}
        ) as active_zone_minutes,
        `date`
    from sums

)

{{ reads_changes_of([ref('heart_rates'), ref('user_profile_history')]) }}
{{ recomputed(
    'old.user_id = affected.user_id and old.`date` = affected.`date`', days=days, day_of='`date`'
) }}
