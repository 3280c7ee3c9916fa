"""The SQL warehouse protocol of Databricks (Thrift over HTTP), answered by a local Spark Connect.

`python -m lakehouse.endpoint` serves the home that the environment names. Layers, outermost first:
`http` (token, framing) → `service` (the protocol) → `session` and `operation` (state, results) →
`translate` and its rules (what open-source Spark says differently), `catalog` with
`information_schema` and `describe` (what it does not know) →
`connect` (the client of Spark). `docs/local-endpoint.md` lists what is translated and why.
"""
