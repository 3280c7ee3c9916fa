-- Each accepted registration lies in one interval of device_registrations, which is its user's (at
-- one instant the greater user id counts), and each interval begins with a registration.
{{ config(group='silver') }}

with registrations as (

    select
        user_id,
        registered_at,
        stack(2, 'device', device_id, 'mac', mac_address) as (kind, identifier)
    from {{ ref('stg_azure_sql__registered_users') }}
    where reject_reason is null and erased_at is null

),

records as (

    select
        kind,
        identifier,
        registered_at,
        max(user_id) as user_id
    from registrations
    group by all

)

select
    records.kind,
    records.user_id
from records
left join {{ ref('device_registrations') }} as intervals
    on
        records.kind = intervals.kind
        and records.identifier = intervals.identifier
        and {{ in_interval('records.registered_at', 'intervals.owned_from', 'intervals.owned_to') }}
group by records.kind, records.identifier, records.registered_at, records.user_id
having count(intervals.kind) <> 1 or max(intervals.user_id) <> records.user_id
union all
select
    intervals.kind,
    intervals.user_id
from {{ ref('device_registrations') }} as intervals
left anti join records
    on
        intervals.kind = records.kind
        and intervals.identifier = records.identifier
        and intervals.registered_at = records.registered_at
        and intervals.user_id = records.user_id
