"""The test runners of PHP, Elixir and Lua."""
