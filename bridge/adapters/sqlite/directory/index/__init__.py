"""The indexes of the directory file: phone number → caller card, and names by substring."""
