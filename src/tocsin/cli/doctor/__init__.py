"""``tocsin doctor``: a module for each thing that may be wrong; none of them changes anything."""
