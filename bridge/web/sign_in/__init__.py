"""Sign-in and sign-out of the administrator and of managers."""
