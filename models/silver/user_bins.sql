{{ config(materialized='view') }}

select
    user_id,
    age_band,
    gender,
    city,
    state,
    as_of_date
from {{ ref('member_activity') }}
