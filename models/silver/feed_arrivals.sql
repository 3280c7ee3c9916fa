{{ config(materialized='table') }}

{% set feeds = {
    'user_info': (ref('stg_kafka__user_info'), 'changed_at'),
    'bpm': (ref('stg_kafka__bpm'), 'measured_at'),
    'workout': (ref('stg_kafka__workout'), 'occurred_at'),
    'registered_users': (ref('stg_azure_sql__registered_users'), 'registered_at'),
    'gym_logins': (ref('stg_azure_sql__gym_logins'), 'login_at'),
} %}

with records as (

    {% for feed, (records, event_at) in feeds.items() %}
    select
        '{{ feed }}' as feed,
        {{ event_at }} as event_at,
        ingested_at,
        {{ microseconds_between(event_at, 'ingested_at') }} / 1e6 as lateness_seconds
    from {{ records }}
    {{ 'union all' if not loop.last }}
    {% endfor %}

),

unowned as (

    select
        'bpm' as feed,
        cast(records.ingested_at as date) as arrival_date,
        count(*) as unowned_readings
    from {{ ref('stg_kafka__bpm') }} as records
    inner join {{ ref('heart_rates') }} as readings
        on records.device_id = readings.device_id and records.measured_at = readings.measured_at
    where readings.user_id is null
    group by all

),

arrivals as (

    select
        feed,
        count(*) as received,
        count_if(lateness_seconds > {{ var('late_after_hours') }} * 3600) as late,
        percentile(lateness_seconds, array(0.5, 0.95, 0.99)) as lateness_quantiles,
        max(lateness_seconds) as max_lateness_seconds,
        cast(ingested_at as date) as arrival_date,
        max(event_at) as newest_event_at,
        max(ingested_at) as newest_arrival_at
    from records
    group by feed, cast(ingested_at as date)

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
    left join unowned using (feed, arrival_date)

)

select * from final
