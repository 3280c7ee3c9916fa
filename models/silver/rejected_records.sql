{{ config(unique_key=['feed', 'record_key']) }}

{% set feeds = {
    'user_info': ref('stg_kafka__user_info'),
    'bpm': ref('stg_kafka__bpm'),
    'workout': ref('stg_kafka__workout'),
    'registered_users': ref('stg_azure_sql__registered_users'),
    'gym_logins': ref('stg_azure_sql__gym_logins'),
} %}

{% if is_incremental() %}
{% set affected -%}
{% for feed, records in feeds.items() %}
    select
        '{{ feed }}' as feed,
        record_key,
        ingested_at
    from {{ changes_of(records) }}
    where reject_reason is not null
    {{ 'union' if not loop.last }}
{% endfor %}
{%- endset %}
{% set days = touched_days(affected, 'ingested_at') %}
{% endif %}

with
{{ affected_cte(affected) }}

records as (

    {% for feed, records in feeds.items() %}
    select
        '{{ feed }}' as feed,
        record_key,
        topic,
        topic_epoch,
        kafka_partition as `partition`,
        kafka_offset as `offset`,
        record_id,
        source_file,
        reject_reason as reason,
        ingested_at
    from {{ records }}
    where
        reject_reason is not null
        {%- if is_incremental() %}
        and {{ on_days(days, 'ingested_at') }}
        {%- endif %}
    {{ 'union all' if not loop.last }}
    {% endfor %}

),

final as (

    select records.*
    from records
    {% if is_incremental() %}
    left semi join affected
        on records.feed = affected.feed and records.record_key = affected.record_key
    {% endif %}

)

{{ reads_changes_of(feeds.values()) }}
{{ recomputed(
    'old.feed = affected.feed and old.record_key = affected.record_key',
    days=days, day_of='ingested_at'
) }}
