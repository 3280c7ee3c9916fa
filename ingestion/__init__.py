"""Takes every record of the feeds, as it came, into the bronze tables: once each.

Runs unchanged on Databricks (the session is given) and against a local Spark Connect server.
"""
