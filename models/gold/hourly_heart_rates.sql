{{ config(unique_key=['user_id', 'hour_at'], meta={'day': 'hour_at'}) }}

with
{% call affected_cte() %}
    select
        user_id,
        date_trunc('hour', measured_at) as hour_at
    from {{ changes_of(ref('heart_rates')) }}
    where user_id is not null
{% endcall %}

readings as (

    select
        user_id,
        device_id,
        heart_rate_bpm,
        measured_at,
        date_trunc('hour', measured_at) as hour_at
    from {{ affected_only(ref('heart_rates'), by=['user_id'], day='measured_at') }}
    where user_id is not null

),

-- A reading stands until the member's next one on any device, 60 s at most, cut at the hour's end;
-- at one instant that of the least device id counts.
standing as (

    select
        *,
        unix_micros(least(
            lead(measured_at) over (
                partition by user_id, hour_at order by measured_at asc, device_id desc
            ),
            measured_at + interval 60 seconds,
            hour_at + interval 1 hour
        )) - unix_micros(measured_at) as stands_micros
    from readings

),

final as (

    select
        user_id,
        min(heart_rate_bpm) as min_bpm,
        {{ mean('heart_rate_bpm') }} as avg_bpm,
        max(heart_rate_bpm) as max_bpm,
        count(*) as num_readings,
        {{ minutes('sum(stands_micros)') }} as covered_minutes,
        hour_at
    from standing
    group by all

)

{{ recomputed() }}
