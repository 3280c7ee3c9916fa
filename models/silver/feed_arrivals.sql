{{ config(unique_key=['feed', 'arrival_date'], meta={'day': 'arrival_date'}) }}

with
{% call affected_cte() %}
    select 'user_info' as feed, cast(ingested_at as date) as arrival_date
    from {{ changes_of(ref('stg_kafka__user_info')) }}
    union
    select 'bpm' as feed, cast(ingested_at as date) as arrival_date
    from {{ changes_of(ref('stg_kafka__bpm')) }}
    union
    select 'workout' as feed, cast(ingested_at as date) as arrival_date
    from {{ changes_of(ref('stg_kafka__workout')) }}
    union
    select 'registered_users' as feed, cast(ingested_at as date) as arrival_date
    from {{ changes_of(ref('stg_azure_sql__registered_users')) }}
    union
    select 'gym_logins' as feed, cast(ingested_at as date) as arrival_date
    from {{ changes_of(ref('stg_azure_sql__gym_logins')) }}
{% endcall %}

records as (

    select
        feed,
        reject_reason,
        is_logout_ignored,
        event_at,
        ingested_at,
        erased_at,
        cast(ingested_at as date) as arrival_date,
        (unix_micros(ingested_at) - unix_micros(event_at)) / 1e6 as lateness_seconds
    from {{ affected_only(ref('records'), by=['feed'], day='ingested_at') }}

),

reasons as (

    select
        feed,
        arrival_date,
        reject_reason,
        count(*) as records
    from records
    where reject_reason is not null
    group by all

),

rejections as (

    select
        feed,
        arrival_date,
        array_sort(collect_list(struct(reject_reason as reason, records))) as rejected_by_reason
    from reasons
    group by all

),

arrivals as (

    select
        feed,
        count(*) as received,
        count_if(reject_reason is null and erased_at is null) as accepted,
        count_if(reject_reason is not null) as rejected,
        count_if(erased_at is not null) as erased,
        count_if(is_logout_ignored) as logouts_ignored,
        count_if(lateness_seconds > {{ var('late_after_hours') }} * 3600) as late,
        percentile(lateness_seconds, array(0.5, 0.95, 0.99)) as lateness_quantiles,
        max(lateness_seconds) as max_lateness_seconds,
        arrival_date,
        max(event_at) as newest_event_at,
        max(ingested_at) as newest_arrival_at
    from records
    group by all

),

final as (

    select
        arrivals.feed,
        arrivals.received,
        arrivals.accepted,
        arrivals.rejected,
        arrivals.erased,
        arrivals.logouts_ignored,
        arrivals.late,
        arrivals.lateness_quantiles[0] as p50_lateness_seconds,
        arrivals.lateness_quantiles[1] as p95_lateness_seconds,
        arrivals.lateness_quantiles[2] as p99_lateness_seconds,
        arrivals.max_lateness_seconds,
        coalesce(
            rejections.rejected_by_reason,
            cast(array() as array<struct<reason: string, records: bigint>>)
        ) as rejected_by_reason,
        arrivals.arrival_date,
        arrivals.newest_event_at,
        arrivals.newest_arrival_at
    from arrivals
    left join rejections
        on arrivals.feed = rejections.feed and arrivals.arrival_date = rejections.arrival_date

)

{{ recomputed() }}
