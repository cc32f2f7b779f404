"""What each command of `onec-bridge` builds and runs, one module a matter."""
