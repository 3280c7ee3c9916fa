{{ config(materialized='view') }}

select
    user_id,
    sex,
    gender,
    city,
    state,
    date_of_birth,
    -- Nothing happens before 2000.
    if(
        row_number() over (partition by user_id order by valid_from) = 1,
        timestamp '1900-01-01 00:00:00',
        valid_from
    ) as in_force_from,
    coalesce(valid_to, timestamp '9999-12-31 00:00:00') as in_force_to
from {{ ref('user_profile_history') }}
