{{ config(unique_key=['mac_address', 'gym_id', 'login_at']) }}

with
{% if is_incremental() %}
ownership_changes as (

    select
        identifier,
        owned_from,
        owned_to
    from {{ changes_of(ref('device_registrations')) }}
    where kind = 'mac'

),

affected as (

    select
        mac_address,
        gym_id,
        login_at
    from {{ changes_of(ref('stg_azure_sql__gym_logins')) }}
    where mac_address is not null
    union
    select
        visits.mac_address,
        visits.gym_id,
        visits.login_at
    from {{ this }} as visits
    inner join ownership_changes
        on
            visits.mac_address = ownership_changes.identifier
            and {{ in_interval(
                'visits.login_at', 'ownership_changes.owned_from', 'ownership_changes.owned_to'
            ) }}

),
{% endif %}

-- The row of a visit comes again with its logout, and with a later one when that was corrected
-- upward.
visits as (

    select
        records.mac_address,
        records.gym_id,
        records.login_at,
        max(records.logout_at) as logout_at
    from {{ ref('stg_azure_sql__gym_logins') }} as records
    {% if is_incremental() %}
    left semi join affected
        on
            records.mac_address = affected.mac_address
            and records.gym_id = affected.gym_id
            and records.login_at = affected.login_at
    {% endif %}
    where records.mac_address is not null
    group by all

),

owners as (

    select
        identifier,
        user_id,
        owned_from,
        owned_to
    from {{ ref('device_registrations') }}
    where kind = 'mac'

),

final as (

    select
        visits.mac_address,
        visits.gym_id,
        owners.user_id,
        visits.login_at,
        visits.logout_at
    from visits
    left join owners
        on
            visits.mac_address = owners.identifier
            and {{ in_interval('visits.login_at', 'owners.owned_from', 'owners.owned_to') }}

)

{{ reads_changes_of([ref('stg_azure_sql__gym_logins'), ref('device_registrations')]) }}
{{ recomputed(
    'old.mac_address = affected.mac_address and old.gym_id = affected.gym_id'
    ~ ' and old.login_at = affected.login_at'
) }}
