"""Wire to stream: conversations with venues, and the loop that holds them."""
