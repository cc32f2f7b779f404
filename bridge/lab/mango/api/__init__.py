"""The cabinet's API: signed requests in, answers out."""
