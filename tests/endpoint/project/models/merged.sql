{{ config(materialized="incremental", incremental_strategy="merge", unique_key="id", liquid_clustered_by=["id"], on_schema_change="append_new_columns") }}

select id, name from {{ ref("as_view") }}
