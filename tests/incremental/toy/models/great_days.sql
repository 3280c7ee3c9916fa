{{ config(materialized='view', contract={'enforced': false}) }}

select
    customer_id,
    date,
    amount
from {{ ref('daily_amounts') }}
where amount >= 100
