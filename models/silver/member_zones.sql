{{ config(unique_key='user_id') }}

-- A member's whole history is told in one zone, so that a day has one length and follows the last.
-- Also of one who was deleted: the facts stay.
with newest as (

    select
        user_id,
        max_by(state, valid_from) as state
    from {{ ref('user_profile_history') }}
    group by all

),

final as (

    select
        newest.user_id,
        {{ member_zone('zones') }} as time_zone
    from newest
    left join {{ ref('state_time_zones') }} as zones
        on upper(trim(newest.state)) = zones.state

)

select * from final
