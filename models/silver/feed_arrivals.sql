{{ config(unique_key=['feed', 'arrival_date']) }}

{% set feeds = {
    'user_info': (ref('stg_kafka__user_info'), 'changed_at'),
    'bpm': (ref('stg_kafka__bpm'), 'measured_at'),
    'workout': (ref('stg_kafka__workout'), 'occurred_at'),
    'registered_users': (ref('stg_azure_sql__registered_users'), 'registered_at'),
    'gym_logins': (ref('stg_azure_sql__gym_logins'), 'login_at'),
} %}

{#- A reading that gets an owner, or loses one, has an image without. -#}
{% if is_incremental() %}
{% set disowned -%}
    select
        device_id,
        measured_at
    from {{ changes_of(ref('heart_rates')) }}
    where user_id is null
{%- endset %}
{% set affected -%}
    select
        'bpm' as feed,
        cast(records.ingested_at as date) as arrival_date
    from {{ ref('stg_kafka__bpm') }} as records
    left semi join ({{ disowned }}) as disowned
        on records.device_id = disowned.device_id and records.measured_at = disowned.measured_at
    where {{ on_days(touched_days(disowned, 'measured_at'), 'records.measured_at') }}
{% for feed, (records, _) in feeds.items() %}
    union
    select
        '{{ feed }}' as feed,
        cast(ingested_at as date) as arrival_date
    from {{ changes_of(records) }}
{% endfor %}
{%- endset %}
{% set days = touched_days(affected, 'arrival_date') %}
{#- The records to count lie on other days by measured_at than by arrival. -#}
{% set measured -%}
    select measured_at
    from {{ ref('stg_kafka__bpm') }}
    where {{ on_days(days, 'ingested_at') }}
{%- endset %}
{% set reading_days = days_of(measured, 'measured_at') if days else days %}
{% endif %}

with
{{ affected_cte(affected) }}

{% for feed, (records, event_at) in feeds.items() %}
{{ feed }}_records as (

    select
        {{ "device_id," if feed == 'bpm' }}
        '{{ feed }}' as feed,
        {{ event_at }} as event_at,
        ingested_at,
        cast(ingested_at as date) as arrival_date
    from {{ records }}
    {% if is_incremental() -%}
    where {{ on_days(days, 'ingested_at') }}
    {%- endif %}

),
{% endfor %}

records as (

    {% for feed in feeds %}
    select
        feed,
        event_at,
        ingested_at,
        arrival_date,
        {{ microseconds_between('event_at', 'ingested_at') }} / 1e6 as lateness_seconds
    from {{ feed }}_records
    {{ 'union all' if not loop.last }}
    {% endfor %}

),

unowned as (

    select
        records.feed,
        records.arrival_date,
        count(*) as unowned_readings
    from bpm_records as records
    inner join {{ ref('heart_rates') }} as readings
        on records.device_id = readings.device_id and records.event_at = readings.measured_at
    where
        readings.user_id is null
        {%- if is_incremental() %}
        and {{ on_days(reading_days, 'readings.measured_at') }}
        {%- endif %}
    group by all

),

arrivals as (

    select
        feed,
        count(*) as received,
        count_if(lateness_seconds > {{ var('late_after_hours') }} * 3600) as late,
        percentile(lateness_seconds, array(0.5, 0.95, 0.99)) as lateness_quantiles,
        max(lateness_seconds) as max_lateness_seconds,
        arrival_date,
        max(event_at) as newest_event_at,
        max(ingested_at) as newest_arrival_at
    from records
    group by feed, arrival_date

),

final as (

    select
        arrivals.feed,
        arrivals.received,
        arrivals.late,
        coalesce(unowned.unowned_readings, 0) as unowned_readings,
        arrivals.lateness_quantiles[0] as p50_lateness_seconds,
        arrivals.lateness_quantiles[1] as p95_lateness_seconds,
        arrivals.lateness_quantiles[2] as p99_lateness_seconds,
        arrivals.max_lateness_seconds,
        arrivals.arrival_date,
        arrivals.newest_event_at,
        arrivals.newest_arrival_at
    from arrivals
    {% if is_incremental() -%}
    left semi join affected
        on arrivals.feed = affected.feed and arrivals.arrival_date = affected.arrival_date
    {% endif -%}
    left join unowned
        on arrivals.feed = unowned.feed and arrivals.arrival_date = unowned.arrival_date

)

{{ reads_changes_of(feeds.values() | map(attribute=0) | list + [ref('heart_rates')]) }}
{{ recomputed(
    'old.feed = affected.feed and old.arrival_date = affected.arrival_date',
    days=days, day_of='arrival_date'
) }}
