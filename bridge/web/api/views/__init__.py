"""What the API shows: typed models, each read from the domain's object."""
