"""The engine of this machine: launch, supervise, stop. Never imports click, jinja2, jsonschema, yaml."""
