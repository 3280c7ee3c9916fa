{{ config(unique_key='user_id') }}

with history as (

    select
        user_id,
        sex,
        gender,
        first_name,
        last_name,
        street_address,
        city,
        state,
        zip_code,
        date_of_birth,
        valid_from,
        is_current
    from {{ ref('user_profile_history') }}

),

final as (

    select
        user_id,
        sex,
        gender,
        first_name,
        last_name,
        street_address,
        city,
        state,
        zip_code,
        date_of_birth,
        valid_from
    from history
    where is_current

)

select * from final
