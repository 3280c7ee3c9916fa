{{ config(unique_key=['user_id', 'hour_at'], meta={'day': 'hour_at'}) }}

{% set zone = member_zone('zones') %}
with
{% call affected_cte() %}
    select
        readings.user_id,
        {{ hour_at('readings.measured_at', zone) }} as hour_at
    from {{ changes_of(ref('heart_rates')) }} as readings
    left join {{ ref('member_zones') }} as zones on readings.user_id = zones.user_id
    where readings.user_id is not null
    union
    -- In another zone a member's hours may begin up to 45 minutes off.
    select
        hours.user_id,
        explode(sequence(
            hours.hour_at - interval 45 minutes,
            hours.hour_at + interval 45 minutes,
            interval 15 minutes
        )) as hour_at
    from {{ this }} as hours
    left semi join {{ changes_of(ref('member_zones')) }} as zones on hours.user_id = zones.user_id
{% endcall %}

readings as (

    select
        readings.user_id,
        readings.device_id,
        readings.heart_rate_bpm,
        readings.measured_at,
        {{ zone }} as time_zone,
        {{ hour_at('readings.measured_at', zone) }} as hour_at
    from {{ affected_only(ref('heart_rates'), by=['user_id'], day='measured_at', slack=1) }} as readings
    left join {{ ref('member_zones') }} as zones on readings.user_id = zones.user_id
    where readings.user_id is not null

),

standing as (

    select
        *,
        {% call micros_standing(['user_id', 'hour_at']) %}hour_at + interval 1 hour{% endcall %} as micros
    from {{ affected_only('readings') }}

),

hours as (

    select
        user_id,
        time_zone,
        hour_at,
        min(heart_rate_bpm) as min_bpm,
        {{ mean('heart_rate_bpm') }} as avg_bpm,
        max(heart_rate_bpm) as max_bpm,
        count(*) as num_readings,
        {{ minutes('sum(micros)') }} as covered_minutes
    from standing
    group by all

),

final as (

    select
        user_id,
        min_bpm,
        avg_bpm,
        max_bpm,
        num_readings,
        covered_minutes,
        hour(from_utc_timestamp(hour_at, time_zone)) as local_hour,
        cast(from_utc_timestamp(hour_at, time_zone) as date) as `date`,
        hour_at
    from hours

)

{{ recomputed() }}
