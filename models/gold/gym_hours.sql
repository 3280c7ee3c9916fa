{{ config(materialized='view') }}

select
    gym_id,
    local_hour,
    if(peak_members between 1 and 4, null, check_ins) as check_ins,
    if(peak_members between 1 and 4, null, visits) as visits,
    if(peak_members between 1 and 4, null, peak_members) as peak_members,
    if(peak_members between 1 and 4 or members_at_end between 1 and 4, null, members_at_end) as members_at_end,
    capacity,
    peak_members between 1 and 4 as is_suppressed,
    local_date,
    hour_at
from {{ ref('gym_hourly_occupancy') }}
