"""Renders the AI/BI dashboard definition to pages that need no server and no network."""
