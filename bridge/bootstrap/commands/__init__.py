"""What each command of `onec-bridge` builds and runs, one module for each."""
