"""The commands of bgrun, declared once, as data: both parsers, the help and the reference page are built from them.

A handler is named `module:function` and imported only when its command is used.
"""
