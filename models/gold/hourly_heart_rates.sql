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

summaries as (

    select
        user_id,
        hour_at,
        min(heart_rate_bpm) as min_bpm,
        avg(heart_rate_bpm) as avg_bpm,
        max(heart_rate_bpm) as max_bpm,
        count(*) as num_readings
    from readings
    group by all

),

{{ standing_readings('readings', ['user_id', 'hour_at'], 'hour_at + interval 1 hour') }},

coverage as (

    select
        user_id,
        hour_at,
        sum(stands_micros) as covered_micros
    from standing
    group by all

),

final as (

    select
        summaries.user_id,
        summaries.min_bpm,
        summaries.avg_bpm,
        summaries.max_bpm,
        summaries.num_readings,
        {{ minutes('coverage.covered_micros') }} as covered_minutes,
        summaries.hour_at
    from summaries
    inner join coverage using (user_id, hour_at)

)

{{ reads_changes_of([ref('heart_rates')]) }}
{{ recomputed(
    'old.user_id = affected.user_id and old.hour_at = affected.hour_at', days=days, day_of='hour_at'
) }}
