{{ config(materialized="incremental", unique_key="id", tags=["second"]) }}

select id, name from {{ ref("as_view") }}
