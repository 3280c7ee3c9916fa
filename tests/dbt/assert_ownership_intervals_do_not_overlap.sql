-- Each device and each MAC address has one owner at a time; an overlap would count readings for two
-- members.
with intervals as (

    select
        kind,
        identifier,
        owned_from,
        lag(owned_to) over timeline as previous_owned_to,
        row_number() over timeline as place
    from {{ ref('device_registrations') }}
    window timeline as (partition by kind, identifier order by owned_from nulls first)

)

select
    kind,
    owned_from
from intervals
where
    place > 1
    and (previous_owned_to is null or owned_from is null or previous_owned_to <> owned_from)
