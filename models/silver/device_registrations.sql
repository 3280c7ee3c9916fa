{{ config(unique_key=['kind', 'identifier', 'registered_at']) }}

with
{% call affected_cte() %}
    select
        stack(2, 'device', device_id, 'mac', mac_address) as (kind, identifier)
    from {{ changes_of(ref('stg_azure_sql__registered_users')) }}
    where device_id is not null
{% endcall %}

records as (

    select
        user_id,
        registered_at,
        stack(2, 'device', device_id, 'mac', mac_address) as (kind, identifier)
    from {{ ref('stg_azure_sql__registered_users') }}
    where device_id is not null

),

registrations as (

    select
        kind,
        identifier,
        registered_at,
        max(user_id) as user_id
    from records
    group by all

),

neighbours as (

    select
        *,
        lag(user_id) over (partition by kind, identifier order by registered_at) as previous_user_id
    from registrations

),

hand_ons as (

    select *
    from neighbours
    where previous_user_id is null or previous_user_id <> user_id

),

final as (

    select
        kind,
        identifier,
        user_id,
        registered_at,
        -- Readings may precede the first registration: it reaches back without end.
        if(previous_user_id is null, null, registered_at) as owned_from,
        lead(registered_at) over (partition by kind, identifier order by registered_at) as owned_to
    from hand_ons

)

{{ recomputed(by=['kind', 'identifier']) }}
