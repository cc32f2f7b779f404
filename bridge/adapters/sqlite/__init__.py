"""The store of one node: TinyDB tables on SQLite files in the data folder."""
