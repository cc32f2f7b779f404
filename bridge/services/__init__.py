"""What the service does: each part gathers by the ports, decides by the domain, and applies."""
