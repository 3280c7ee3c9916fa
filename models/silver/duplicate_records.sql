{{ config(unique_key=['feed', 'record_key']) }}

{#- Per feed: its records; when they tell something; the typed content that makes two of them the
    same; what a first copy is that another record of the same instant outdoes. -#}
{% set feeds = {
    'user_info': {
        'records': ref('stg_kafka__user_info'),
        'event_at': 'changed_at',
        'content': [
            'user_id', 'update_type', 'sex', 'gender', 'first_name', 'last_name', 'street_address',
            'city', 'state', 'zip_code', 'date_of_birth', 'changed_at',
        ],
        'outdone': "if(winners.user_id is null, 'conflict', null)",
    },
    'bpm': {
        'records': ref('stg_kafka__bpm'),
        'event_at': 'measured_at',
        'content': ['device_id', 'heart_rate_bpm', 'measured_at'],
        'outdone': "if(
            heart_rate_bpm > min(heart_rate_bpm) over (partition by device_id, measured_at),
            'conflict',
            null
        )",
    },
    'workout': {
        'records': ref('stg_kafka__workout'),
        'event_at': 'occurred_at',
        'content': ['user_id', 'workout_id', 'session_id', 'action', 'occurred_at'],
        'outdone': 'cast(null as string)',
    },
    'registered_users': {
        'records': ref('stg_azure_sql__registered_users'),
        'event_at': 'registered_at',
        'content': ['user_id', 'device_id', 'mac_address', 'registered_at'],
        'outdone': "if(
            user_id < max(user_id) over (partition by device_id, registered_at)
            or user_id < max(user_id) over (partition by mac_address, registered_at),
            'conflict',
            null
        )",
    },
    'gym_logins': {
        'records': ref('stg_azure_sql__gym_logins'),
        'event_at': 'login_at',
        'content': ['mac_address', 'gym_id', 'login_at', 'logout_at'],
        'outdone': "if(
            logout_at <=> max(logout_at) over (partition by mac_address, gym_id, login_at),
            null,
            'superseded'
        )",
    },
} -%}

{#- Records outdo each other at one instant only. -#}
{% if is_incremental() %}
{% set affected -%}
    select
        'user_info' as feed,
        changed_at as event_at
    from {{ changes_of(ref('user_profile_changes')) }}
{% for feed, of in feeds.items() %}
    union
    select
        '{{ feed }}' as feed,
        {{ of.event_at }} as event_at
    from {{ changes_of(of.records) }}
    where {{ of.event_at }} is not null
{% endfor %}
{%- endset %}
{% set days = touched_days(affected, 'event_at') %}
{% endif %}

with
{{ affected_cte(affected) }}

{% for feed, of in feeds.items() %}
{{ feed }}_records as (

    select records.*
    from {{ of.records }} as records
    {% if is_incremental() %}
    left semi join affected
        on affected.feed = '{{ feed }}' and records.{{ of.event_at }} = affected.event_at
    {% endif %}
    where
        records.reject_reason is null
        and records.erased_at is null
        {%- if is_incremental() %}
        and {{ on_days(days, 'records.' ~ of.event_at) }}
        {%- endif %}

),
{% endfor %}

outcomes as (

    {% for feed, of in feeds.items() %}
    select
        '{{ feed }}' as feed,
        records.record_key,
        case
            when
                row_number() over (
                    partition by records.{{ of.content | join(', records.') }}
                    order by
                        records.ingested_at,
                        records.kafka_partition,
                        records.kafka_offset,
                        records.record_key
                ) > 1
                then 'repeat'
            else {{ of.outdone }}
        end as outcome,
        records.{{ of.event_at }} as event_at,
        records.ingested_at
    from {{ feed }}_records as records
    {% if feed == 'user_info' -%}
    left join {{ ref('user_profile_changes') }} as winners
        on {{ change_log_same(of.content, 'records', 'winners') }}
    {%- endif %}
    {{ 'union all' if not loop.last }}
    {% endfor %}

),

final as (

    select *
    from outcomes
    where outcome is not null

)

{{ reads_changes_of(
    feeds.values() | map(attribute='records') | list + [ref('user_profile_changes')]
) }}
{{ recomputed(
    'old.feed = affected.feed and old.event_at = affected.event_at', days=days, day_of='event_at'
) }}
