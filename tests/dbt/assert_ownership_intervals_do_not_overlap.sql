-- Each device and each MAC address has one owner at a time; an overlap would count readings for two members.
with intervals as (

    select
        kind,
        identifier,
        owned_from,
        lag(owned_to) over (partition by kind, identifier order by owned_from nulls first) as previous_owned_to,
        row_number() over (partition by kind, identifier order by owned_from nulls first) as position
    from {{ ref('device_registrations') }}

)

select
    kind,
    owned_from
from intervals
where position > 1 and (previous_owned_to is null or owned_from is null or previous_owned_to <> owned_from)
