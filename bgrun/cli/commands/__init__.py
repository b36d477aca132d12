"""The handlers of the commands, one file for each family of them."""
