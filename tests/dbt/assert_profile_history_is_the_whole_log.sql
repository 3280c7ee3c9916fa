-- The snapshot computes only the users that changed; it must equal the history computed from the
-- whole log at once.
with states as (

    select
        user_id,
        changed_at,
        case
            when update_type <> 'delete'
                then struct(
                    date_of_birth, sex, gender, first_name, last_name, street_address, city, state,
                    zip_code
                )
        end as profile
    from {{ ref('user_profile_changes') }}

),

neighbours as (

    select
        *,
        lag(profile) over (partition by user_id order by changed_at) as profile_before
    from states

),

bounded as (

    select
        user_id,
        profile,
        changed_at as valid_from,
        lead(changed_at) over (partition by user_id order by changed_at) as valid_to
    from neighbours
    where not (profile <=> profile_before)

),

expected as (

    select *
    from bounded
    where profile is not null

),

actual as (

    select
        user_id,
        struct(
            date_of_birth, sex, gender, first_name, last_name, street_address, city, state, zip_code
        ) as profile,
        valid_from,
        valid_to
    from {{ ref('user_profile_history') }}

),

missing as (

    select * from expected
    except all
    select * from actual

),

surplus as (

    select * from actual
    except all
    select * from expected

)

-- Ids and times only: nothing personal in failures.
select
    'missing' as difference,
    user_id,
    valid_from
from missing
union all
select
    'surplus' as difference,
    user_id,
    valid_from
from surplus
