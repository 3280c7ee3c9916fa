{{ config(materialized="incremental", incremental_strategy="merge", unique_key="id", liquid_clustered_by=["id"]) }}

select id, name from {{ ref("as_view") }}
