{{ config(unique_key=['kind', 'identifier', 'owned_from']) }}

with
{% if is_incremental() %}
changes as (

    select
        device_id,
        mac_address
    from {{ changes_of(ref('stg_azure_sql__registered_users')) }}
    where device_id is not null

),

affected as (

    select
        'device' as kind,
        device_id as identifier
    from changes
    union
    select
        'mac' as kind,
        mac_address as identifier
    from changes

),
{% endif %}

registrations as (

    select
        user_id,
        registered_at,
        stack(2, 'device', device_id, 'mac', mac_address) as (kind, identifier)
    from {{ ref('stg_azure_sql__registered_users') }}
    where device_id is not null

),

-- At one instant the greater user id, as text, wins.
winners as (

    select
        registrations.kind,
        registrations.identifier,
        registrations.registered_at,
        max(registrations.user_id) as user_id
    from registrations
    {% if is_incremental() %}
    left semi join affected
        on registrations.kind = affected.kind and registrations.identifier = affected.identifier
    {% endif %}
    group by all

),

{{ ownership_intervals('winners', 'identifier', 'user_id') }},

final as (

    select
        kind,
        identifier,
        user_id,
        owned_from,
        owned_to
    from intervals

)

{{ reads_changes_of([ref('stg_azure_sql__registered_users')]) }}
{{ recomputed('old.kind = affected.kind and old.identifier = affected.identifier') }}
