"""What is read of 1C: objects for the pull, one caller, call requests."""
