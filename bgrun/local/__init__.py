"""The engine for this machine: launch, supervise, stop. Never imports click, jinja2, jsonschema, yaml."""
