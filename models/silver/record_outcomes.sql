{{ config(materialized='table') }}

{#- Per feed: the typed content that makes two records the same. -#}
{% set feeds = {
    'user_info': {
        'records': ref('stg_kafka__user_info'),
        'content': [
            'user_id', 'update_type', 'sex', 'gender', 'first_name', 'last_name', 'street_address',
            'city', 'state', 'zip_code', 'date_of_birth', 'changed_at',
        ],
    },
    'bpm': {
        'records': ref('stg_kafka__bpm'),
        'content': ['device_id', 'heart_rate_bpm', 'measured_at'],
    },
    'workout': {
        'records': ref('stg_kafka__workout'),
        'content': ['user_id', 'workout_id', 'session_id', 'action', 'occurred_at'],
    },
    'registered_users': {
        'records': ref('stg_azure_sql__registered_users'),
        'content': ['user_id', 'device_id', 'mac_address', 'registered_at'],
    },
    'gym_logins': {
        'records': ref('stg_azure_sql__gym_logins'),
        'content': ['mac_address', 'gym_id', 'login_at', 'logout_at'],
    },
} -%}

with
{% for feed, of in feeds.items() %}
{{ feed }}_valid as (

    select
        *,
        row_number() over (
            partition by {{ of.content | join(', ') }}
            order by ingested_at, kafka_partition, kafka_offset, record_key
        ) = 1 as is_first
    from {{ of.records }}
    where reject_reason is null and erased_at is null

),
{% endfor %}

outcomes as (

    {% for feed, of in feeds.items() %}
    select
        '{{ feed }}' as feed,
        if(erased_at is not null, 'erased', 'rejected') as outcome,
        reject_reason as reason,
        cast(ingested_at as date) as arrival_date
    from {{ of.records }}
    where reject_reason is not null or erased_at is not null
    union all
    {% endfor %}
    {% for feed in feeds %}
    select
        '{{ feed }}' as feed,
        'repeat' as outcome,
        cast(null as string) as reason,
        cast(ingested_at as date) as arrival_date
    from {{ feed }}_valid
    where not is_first
    union all
    {% endfor %}
    select
        'user_info' as feed,
        if(winners.user_id is null, 'conflict', 'accepted') as outcome,
        cast(null as string) as reason,
        cast(records.ingested_at as date) as arrival_date
    from user_info_valid as records
    left join {{ ref('user_profile_changes') }} as winners
        on {{ change_log_same(feeds['user_info'].content, 'records', 'winners') }}
    where records.is_first
    union all
    select
        'bpm' as feed,
        if(
            heart_rate_bpm > min(heart_rate_bpm) over (partition by device_id, measured_at),
            'conflict',
            'accepted'
        ) as outcome,
        cast(null as string) as reason,
        cast(ingested_at as date) as arrival_date
    from bpm_valid
    where is_first
    union all
    select
        'workout' as feed,
        'accepted' as outcome,
        cast(null as string) as reason,
        cast(ingested_at as date) as arrival_date
    from workout_valid
    where is_first
    union all
    select
        'registered_users' as feed,
        if(
            user_id < max(user_id) over (partition by device_id, registered_at)
            or user_id < max(user_id) over (partition by mac_address, registered_at),
            'conflict',
            'accepted'
        ) as outcome,
        cast(null as string) as reason,
        cast(ingested_at as date) as arrival_date
    from registered_users_valid
    where is_first
    union all
    select
        'gym_logins' as feed,
        if(
            logout_at <=> max(logout_at) over (partition by mac_address, gym_id, login_at),
            'accepted',
            'superseded'
        ) as outcome,
        if(
            is_logout_ignored
            and logout_at <=> max(logout_at) over (partition by mac_address, gym_id, login_at),
            'logout_ignored',
            null
        ) as reason,
        cast(ingested_at as date) as arrival_date
    from gym_logins_valid
    where is_first

),

final as (

    select
        feed,
        outcome,
        reason,
        count(*) as records,
        arrival_date
    from outcomes
    group by all

)

select * from final
