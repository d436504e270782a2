"""What is running and what is wanted, to what must be done: nothing, runtime commands, or a reload with its reasons. Pure."""
