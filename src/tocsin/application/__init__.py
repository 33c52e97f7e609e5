"""Use-cases over ports: what the product does, whatever edge asked for it."""
