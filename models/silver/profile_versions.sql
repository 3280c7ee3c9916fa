{{ config(materialized='view') }}

-- What facts take of a member: the version in force at an instant, before the earliest version that
-- one; of a member deleted by then, none.
select
    user_id,
    sex,
    gender,
    city,
    state,
    date_of_birth,
    if(row_number() over (partition by user_id order by valid_from) = 1, null, valid_from)
        as in_force_from,
    valid_to as in_force_to
from {{ ref('user_profile_history') }}
