"""bgrun for coding agents: the Model Context Protocol over stdio. `tools` says what there is, `server` speaks it."""
