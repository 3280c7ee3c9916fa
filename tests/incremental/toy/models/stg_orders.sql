{{ config(unique_key='order_key', meta={'day': 'arrived_at'}) }}

with final as (

    select
        order_key,
        customer_id,
        city,
        case when {{ is_sane('amount') }} and amount >= {{ var('least_amount') }} then amount end as amount,
        ordered_at,
        arrived_at
    from {{ new_rows(source('raw', 'orders'), key=['order_key']) }}

)

{{ recomputed() }}
