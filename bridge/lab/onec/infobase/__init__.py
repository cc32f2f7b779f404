"""The simulated 1C database: the schema of four releases, tables of rows, and what phones meant."""
