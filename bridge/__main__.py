"""`python -m bridge …` is `onec-bridge …`."""

from bridge.cli import main

if __name__ == "__main__":
    main()
