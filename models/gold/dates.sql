{{ config(materialized='view') }}

select explode(sequence(date '2000-01-01', date '2099-12-31')) as date_day
