{{ config(unique_key=['feed', 'arrival_date', 'outcome', 'reason']) }}

{% set feeds = {
    'user_info': ref('stg_kafka__user_info'),
    'bpm': ref('stg_kafka__bpm'),
    'workout': ref('stg_kafka__workout'),
    'registered_users': ref('stg_azure_sql__registered_users'),
    'gym_logins': ref('stg_azure_sql__gym_logins'),
} -%}

{% if is_incremental() %}
{% set affected -%}
    select
        feed,
        cast(ingested_at as date) as arrival_date
    from {{ changes_of(ref('duplicate_records')) }}
{% for feed, records in feeds.items() %}
    union
    select
        '{{ feed }}' as feed,
        cast(ingested_at as date) as arrival_date
    from {{ changes_of(records) }}
{% endfor %}
{%- endset %}
{% set days = touched_days(affected, 'arrival_date') %}
{% endif %}

with
{{ affected_cte(affected) }}

records as (

    {% for feed, records in feeds.items() %}
    select
        '{{ feed }}' as feed,
        record_key,
        reject_reason,
        {{ 'is_logout_ignored' if feed == 'gym_logins' else 'false' }} as is_logout_ignored,
        erased_at,
        ingested_at
    from {{ records }}
    {% if is_incremental() -%}
    where {{ on_days(days, 'ingested_at') }}
    {%- endif %}
    {{ 'union all' if not loop.last }}
    {% endfor %}

),

duplicates as (

    select
        feed,
        record_key,
        outcome
    from {{ ref('duplicate_records') }}
    {% if is_incremental() -%}
    where {{ on_days(days, 'ingested_at') }}
    {%- endif %}

),

outcomes as (

    select
        records.feed,
        case
            when records.erased_at is not null then 'erased'
            when records.reject_reason is not null then 'rejected'
            else coalesce(duplicates.outcome, 'accepted')
        end as outcome,
        case
            when records.reject_reason is not null then records.reject_reason
            when records.is_logout_ignored and duplicates.outcome is null then 'logout_ignored'
        end as reason,
        cast(records.ingested_at as date) as arrival_date
    from records
    left join duplicates
        on records.feed = duplicates.feed and records.record_key = duplicates.record_key

),

final as (

    select
        outcomes.feed,
        outcomes.outcome,
        outcomes.reason,
        count(*) as records,
        outcomes.arrival_date
    from outcomes
    {% if is_incremental() %}
    left semi join affected
        on outcomes.feed = affected.feed and outcomes.arrival_date = affected.arrival_date
    {% endif %}
    group by all

)

{{ reads_changes_of(feeds.values() | list + [ref('duplicate_records')]) }}
{{ recomputed(
    'old.feed = affected.feed and old.arrival_date = affected.arrival_date',
    days=days, day_of='arrival_date'
) }}
