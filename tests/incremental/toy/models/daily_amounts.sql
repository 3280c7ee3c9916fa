{{ config(unique_key=['customer_id', 'date'], meta={'day': 'date'}) }}

with
{% call affected_cte() %}
    select
        customer_id,
        cast(ordered_at as date) as date
    from {{ changes_of(ref('stg_orders')) }}
{% endcall %}

final as (

    select
        customer_id,
        sum(amount) as amount,
        max(bands.band) as band,
        cast(ordered_at as date) as date
    from {{ affected_only(ref('stg_orders'), by=['customer_id'], day='ordered_at') }} as orders
    left join {{ ref('bands') }} as bands
        on
            orders.amount >= bands.from_amount
            and (bands.to_amount is null or orders.amount < bands.to_amount)
    where amount is not null
    group by customer_id, cast(ordered_at as date)

)

{{ recomputed() }}
