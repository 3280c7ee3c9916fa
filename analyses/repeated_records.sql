-- Records that say the same as others, as they may: at-least-once delivery sends some twice. One row
-- for each content, with the places in bronze that hold it.
{{ config(group='silver') }}

{% set feeds = {
    'user_info': (ref('stg_kafka__user_info'), [
        'user_id', 'changed_at', 'update_type', 'sex', 'gender', 'first_name', 'last_name',
        'street_address', 'city', 'state', 'zip_code', 'date_of_birth',
    ]),
    'bpm': (ref('stg_kafka__bpm'), ['device_id', 'measured_at', 'heart_rate_bpm']),
    'workout': (
        ref('stg_kafka__workout'), ['user_id', 'workout_id', 'session_id', 'occurred_at', 'action']
    ),
    'registered_users': (
        ref('stg_azure_sql__registered_users'),
        ['user_id', 'device_id', 'mac_address', 'registered_at'],
    ),
    'gym_logins': (
        ref('stg_azure_sql__gym_logins'), ['mac_address', 'gym_id', 'login_at', 'logout_at']
    ),
} %}

{% for feed, (records, content) in feeds.items() %}
select
    '{{ feed }}' as feed,
    count(*) as records,
    array_sort(collect_list(record_key)) as record_keys,
    min(ingested_at) as first_arrival_at,
    max(ingested_at) as last_arrival_at
from {{ records }}
where reject_reason is null and erased_at is null
group by {{ content | join(', ') }}
having count(*) > 1
{{ 'union all' if not loop.last }}
{% endfor %}
