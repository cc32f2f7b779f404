"""What a Sipuni cabinet sends: routing questions, events and their spellings, statistics."""
