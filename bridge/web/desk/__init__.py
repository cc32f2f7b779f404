"""The desk: the operator's screen, on which a card appears the moment his telephone rings."""
