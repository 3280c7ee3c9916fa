{{ config(unique_key=['kind', 'identifier_hash', 'registered_at']) }}

-- When devices and MAC addresses were an erased person's: the rule of device_registrations, over
-- keyed hashes.
with erased as (

    select
        user_hash,
        device_hash,
        mac_hash,
        registered_at
    from {{ source('bronze', 'erased_registrations') }}
    union
    -- Not blanked in bronze yet.
    select
        erased_registration.user_hash,
        erased_registration.device_hash,
        erased_registration.mac_hash,
        erased_registration.registered_at
    from {{ ref('stg_azure_sql__registered_users') }}
    where erased_registration is not null

),

hashed as (

    select
        user_hash,
        registered_at,
        true as is_erased,
        stack(2, 'device', device_hash, 'mac', mac_hash) as (kind, identifier_hash)
    from erased
    union all
    select
        {{ keyed_hash('user', 'records.user_id') }} as user_hash,
        records.registered_at,
        false as is_erased,
        stack(
            2,
            'device', {{ keyed_hash('device', 'records.device_id') }},
            'mac', {{ keyed_hash('mac', 'records.mac_address') }}
        ) as (kind, identifier_hash)
    from {{ ref('stg_azure_sql__registered_users') }} as records
    cross join {{ erasure_pads(source('bronze', 'suppression_list')) }} as pads
    where records.device_id is not null

),

erased_identifiers as (

    select distinct
        kind,
        identifier_hash
    from hashed
    where is_erased

),

-- At one instant the erased registration wins: whose id is greater can no longer be told.
winners as (

    select
        hashed.kind,
        hashed.identifier_hash,
        hashed.registered_at,
        max(struct(hashed.is_erased, hashed.user_hash)) as owner
    from hashed
    left semi join erased_identifiers
        on
            hashed.kind = erased_identifiers.kind
            and hashed.identifier_hash = erased_identifiers.identifier_hash
    group by all

),

neighbours as (

    select
        *,
        lag(owner) over (partition by kind, identifier_hash order by registered_at) as previous_owner
    from winners

),

hand_ons as (

    select *
    from neighbours
    where previous_owner is null or previous_owner <> owner

),

intervals as (

    select
        kind,
        identifier_hash,
        owner,
        registered_at,
        if(previous_owner is null, null, registered_at) as owned_from,
        lead(registered_at) over (partition by kind, identifier_hash order by registered_at)
            as owned_to
    from hand_ons

),

requests as (

    select
        user_hash,
        min(requested_at) as requested_at
    from {{ source('bronze', 'suppression_list') }}
    group by user_hash

),

erased_intervals as (

    select
        kind,
        identifier_hash,
        owner['user_hash'] as user_hash,
        registered_at,
        owned_from,
        owned_to
    from intervals
    where owner['is_erased']

),

final as (

    select
        intervals.kind,
        intervals.identifier_hash,
        intervals.registered_at,
        intervals.owned_from,
        intervals.owned_to,
        requests.requested_at
    from erased_intervals as intervals
    inner join requests on intervals.user_hash = requests.user_hash

)

select * from final
