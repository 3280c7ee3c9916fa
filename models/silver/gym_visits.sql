{{ config(unique_key=['mac_address', 'gym_id', 'login_at']) }}

with
{% call affected_cte() %}
    select
        mac_address,
        gym_id,
        login_at
    from {{ changes_of(ref('stg_azure_sql__gym_logins')) }}
    where mac_address is not null
    union
    -- A MAC address that is handed on moves its visits.
    select
        visits.mac_address,
        visits.gym_id,
        visits.login_at
    from {{ this }} as visits
    inner join {{ changes_of(ref('device_registrations')) }} as moves
        on
            moves.kind = 'mac'
            and visits.mac_address = moves.identifier
            and {{ in_interval('visits.login_at', 'moves.owned_from', 'moves.owned_to') }}
{% endcall %}

-- The row of a visit comes again with its logout, and with a later one when that was corrected
-- upward.
visits as (

    select
        mac_address,
        gym_id,
        login_at,
        max(logout_at) as logout_at
    from {{ affected_only(ref('stg_azure_sql__gym_logins')) }}
    where mac_address is not null
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

{{ recomputed() }}
