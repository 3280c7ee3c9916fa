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

summaries as (

    select
        user_id,
        `date`,
        min(heart_rate_bpm) as min_bpm,
        avg(heart_rate_bpm) as avg_bpm,
        max(heart_rate_bpm) as max_bpm,
        count(*) as num_readings
    from readings
    group by all

),

{{ standing_readings(
    'readings', ['user_id', '`date`'], 'cast(`date` + interval 1 day as timestamp)'
) }},

profiles as (

    {{ profile_versions() }}

),

-- The profile as of the day's first instant.
with_ages as (

    select
        summaries.*,
        {{ whole_years('profiles.date_of_birth', 'summaries.`date`') }} as age
    from summaries
    left join profiles
        on
            summaries.user_id = profiles.user_id
            and {{ in_interval(
                'cast(summaries.`date` as timestamp)', 'profiles.in_force_from', 'profiles.in_force_to'
            ) }}

),

coverage as (

    select
        user_id,
        `date`,
        sum(stands_micros) as covered_micros
    from standing
    group by all

),

zone_minutes as (

    select
        standing.user_id,
        standing.`date`,
        {{ sums_by_zone('standing.stands_micros') }}
    from standing
    inner join with_ages using (user_id, `date`)
    inner join {{ ref('heart_rate_zones') }} as zones
        on {{ joins_zone('standing.heart_rate_bpm', 'with_ages.age', 'zones') }}
    group by all

),

-- Resting estimate: the lowest mean over the day's half hours (on the clock) that are covered for
-- 10 minutes or more. Like every mean it takes all readings; only the minutes go by what stands.
half_hours as (

    select
        user_id,
        `date`,
        floor(unix_micros(measured_at) / 1800000000) as half_hour,
        avg(heart_rate_bpm) as avg_bpm
    from readings
    group by all

),

covered_half_hours as (

    select
        user_id,
        `date`,
        floor(unix_micros(measured_at) / 1800000000) as half_hour
    from standing
    group by user_id, `date`, floor(unix_micros(measured_at) / 1800000000)
    having
        sum(least(stands_micros, 1800000000 - unix_micros(measured_at) % 1800000000)) >= 600000000

),

resting as (

    select
        half_hours.user_id,
        half_hours.`date`,
        min(half_hours.avg_bpm) as resting_bpm_estimate
    from half_hours
    inner join covered_half_hours using (user_id, `date`, half_hour)
    group by all

),

final as (

    select
        with_ages.user_id,
        with_ages.min_bpm,
        with_ages.avg_bpm,
        with_ages.max_bpm,
        with_ages.num_readings,
        resting.resting_bpm_estimate,
        {{ minutes('coverage.covered_micros') }} as covered_minutes,
        {{ zone_minute_columns('zone_minutes', 'with_ages.age') }},
        if(
            with_ages.age is null,
            null,
            {{ minutes('coalesce(zone_minutes.active_zone_micros, 0)') }}
        ) as active_zone_minutes,
        with_ages.`date`
    from with_ages
    inner join coverage using (user_id, `date`)
    left join zone_minutes using (user_id, `date`)
    left join resting using (user_id, `date`)

)

{{ reads_changes_of([ref('heart_rates'), ref('user_profile_history')]) }}
{{ recomputed(
    'old.user_id = affected.user_id and old.`date` = affected.`date`', days=days, day_of='`date`'
) }}
