{{ config(unique_key='customer_id') }}

select
    customer_id,
    count(*) as days
from {{ ref('daily_amounts') }}
group by customer_id
