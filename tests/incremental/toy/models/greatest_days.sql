{{ config(unique_key='customer_id') }}

select
    customer_id,
    max(amount) as amount
from {{ ref('great_days') }}
group by customer_id
