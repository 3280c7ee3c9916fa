{{ config(unique_key=['customer_id', 'ordered_at']) }}

with
{% call affected_cte() %}
    select
        customer_id,
        ordered_at
    from {{ changes_of(ref('stg_orders')) }}
{% endcall %}

final as (

    select
        customer_id,
        max(city) as city,
        ordered_at
    from {{ affected_only(ref('stg_orders')) }} as orders
    group by customer_id, ordered_at

)

{{ recomputed() }}
