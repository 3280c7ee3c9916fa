{{ config(
    materialized="incremental",
    incremental_strategy="replace_where",
    incremental_predicates="id >= 2",
) }}

select name, id from {{ ref("as_view") }}
{% if is_incremental() %} where id >= 2 {% endif %}
