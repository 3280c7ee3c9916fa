{{ config(materialized="incremental", incremental_strategy="insert_overwrite", partition_by="joined") }}

select id, name, joined from {{ ref("as_view") }}
{% if is_incremental() %} where joined >= date'2024-01-02' {% endif %}
