{{ config(materialized='view') }}

{% set feeds = {
    'user_info': (ref('stg_kafka__user_info'), 'changed_at'),
    'bpm': (ref('stg_kafka__bpm'), 'measured_at'),
    'workout': (ref('stg_kafka__workout'), 'occurred_at'),
    'registered_users': (ref('stg_azure_sql__registered_users'), 'registered_at'),
    'gym_logins': (ref('stg_azure_sql__gym_logins'), 'login_at'),
} %}

{% for feed, (records, event_at) in feeds.items() %}
select
    '{{ feed }}' as feed,
    record_key,
    topic,
    topic_epoch,
    kafka_partition as `partition`,
    kafka_offset as `offset`,
    record_id,
    source_file,
    reject_reason,
    {{ 'is_logout_ignored' if feed == 'gym_logins' else 'cast(null as boolean) as is_logout_ignored' }},
    {{ event_at }} as event_at,
    ingested_at,
    erased_at
from {{ records }}
{{ 'union all' if not loop.last }}
{% endfor %}
