{{ config(unique_key=['user_id', 'hour_at']) }}

{% if is_incremental() %}
{% set affected -%}
    select
        user_id,
        date_trunc('hour', measured_at) as hour_at
    from {{ changes_of(ref('heart_rates')) }}
    where user_id is not null
    group by all
{%- endset %}
{% set days = touched_days(affected, 'hour_at') %}
{% endif %}

with
{{ affected_cte(affected) }}

owned as (

    select
        user_id,
        device_id,
        heart_rate_bpm,
        measured_at,
        date_trunc('hour', measured_at) as hour_at
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
    left semi join affected on owned.user_id = affected.user_id and owned.hour_at = affected.hour_at
    {% endif %}

),

{{ standing_readings('readings', ['user_id', 'hour_at'], 'hour_at + interval 1 hour') }},

final as (

    select
        user_id,
        min(heart_rate_bpm) as min_bpm,
        avg(heart_rate_bpm) as avg_bpm,
        max(heart_rate_bpm) as max_bpm,
        count(*) as num_readings,
        {{ minutes('sum(stands_micros)') }} as covered_minutes,
        hour_at
    from standing
    group by user_id, hour_at

)

{{ reads_changes_of([ref('heart_rates')]) }}
{{ recomputed(
    'old.user_id = affected.user_id and old.hour_at = affected.hour_at', days=days, day_of='hour_at'
) }}
